#include "COSIP.h"

osip_uri_t *cosip_parse_uri(const char *text) {
    osip_uri_t *uri;
    if (osip_uri_init(&uri) != 0) return NULL;
    if (osip_uri_parse(uri, text) == 0) return uri;
    osip_uri_free(uri);
    return NULL;
}

osip_via_t *cosip_parse_via(const char *text) {
    osip_via_t *via;
    if (osip_via_init(&via) != 0) return NULL;
    if (osip_via_parse(via, text) == 0) return via;
    osip_via_free(via);
    return NULL;
}

osip_from_t *cosip_parse_address(const char *text) {
    osip_from_t *address;
    if (osip_from_init(&address) != 0) return NULL;
    // A value without a URI counts as success there.
    if (osip_from_parse(address, text) == 0 && address->url != NULL) return address;
    osip_from_free(address);
    return NULL;
}
