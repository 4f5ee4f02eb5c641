"""`tandem up` where not all is as on the first evening."""

import json

from lib import profiles
from lib.loop import eventually, expect
from lib.scenario import scenario
from lib.system import System, tandem

PATIENCE = 60  # seconds; a start that waits for what never comes takes 300

ENGLISH = """\
menu: english
version: "1"
languages: [en]
start: hello
exhausted: bye
states:
  hello: {say: [welcome], keys: {"1": bye}}
  bye: {say: [goodbye], barge-in: false, hang-up: menu}
"""

ONLY_VALIDATED = """\
openssl_conf = openssl
[openssl]
providers = providers
alg_section = properties
[providers]
base = base
[base]
activate = 1
[properties]
default_properties = fips=yes
"""


def one_site_of_two(folder):
    """The other site's nodes are down, and the token is kept elsewhere."""
    for file in folder.glob("*.yaml"):
        role = profiles.read(file, "role")
        if role == "master":
            profiles.change(file, "api.token", "secrets/shared-token")
            lost = '  - {name: center-x, role: center, sip: "127.0.55.29:5081", http: "127.0.55.29:8081"}\n'
            file.write_text(file.read_text().replace("nodes:\n", "nodes:\n" + lost))


one_site_of_two.address = "127.0.55.21"


def english_alone(folder):
    """One menu in one language, and nobody who speaks another."""
    (folder / "menus" / "english.yaml").write_text(ENGLISH)
    for file in folder.glob("center-*.yaml"):
        file.write_text(file.read_text().replace("menus/telephone-banking.yaml", "menus/english.yaml"))
        profiles.change(file, "languages", '{en: {voice: "espeak-ng -v en -w {output} {text}"}}')


english_alone.address = "127.0.55.22"


def states(system):
    done = system.tandem("status", "--json", "--profiles", system.profiles, "--state", system.state)
    expect(done.returncode == 0, f"tandem status: {done.stderr.strip()}")
    return {node["name"]: node["state"] for node in json.loads(done.stdout)}


@scenario("operations", system=None, order=90)
def up_waits_for_its_own_nodes_that_are_in_use(test):
    """After a restart, what an operator drained stays so, and the site that is down stays down: neither keeps the rest
    from `ready`."""
    system = System("site", test.folder, one_site_of_two)
    try:
        system.start(PATIENCE)
        expect(states(system)["center-x"] == "down", "the other site's center is shown as down")
        drained = ("access-1", "center-a", "center-b")
        for node in drained:
            done = system.tandem("drain", node, "--profiles", system.profiles, "--state", system.state)
            expect(done.returncode == 0, f"tandem drain {node}: {done.stderr.strip()}")
        system.stop()
        system.start(PATIENCE)
        found = states(system)
        expect(all(found[node] == "draining" for node in drained), f"the orders outlive the restart: {found}")
        for node in drained:
            system.tandem("enable", node, "--profiles", system.profiles, "--state", system.state)
        eventually(lambda: "draining" not in states(system).values(), 10, "all nodes in use again")
        test.phone().dial(system.endpoint("access-1"), "9196").hang_up()
    finally:
        system.stop()


@scenario("operations", system=None, order=91)
def one_language_is_enough(test):
    """A bank that speaks English needs no Chinese voice."""
    prompts, System.prompts = System.prompts, None
    system = System("english", test.folder, english_alone)
    try:
        system.start(PATIENCE * 2)
        spoken = sorted(folder.name for folder in (system.state / "prompts").iterdir() if folder.is_dir())
        expect(spoken == ["common", "en"], f"only what is needed is spoken: {spoken}")
        done = system.tandem("prompts", "build", "--profiles", system.profiles, "--state", system.state, seconds=60)
        expect(done.returncode == 0 and done.stdout.startswith("0 spoken"), f"tandem prompts build: {done.stdout} {done.stderr}")
    finally:
        System.prompts = prompts
        system.stop()


@scenario("operations", system=None, order=92)
def openssl_without_hashes_is_told_in_one_line(test):
    """A configuration of OpenSSL that asks for a provider which is not there: a line, not a crash, and help all the same."""
    file = test.folder / "openssl.cnf"
    file.write_text(ONLY_VALIDATED)
    for arguments in (["up"], ["bank", "accounts"]):
        done = tandem(*arguments, environment={"OPENSSL_CONF": str(file)})
        expect(done.returncode == 2, f"tandem {' '.join(arguments)} ends with {done.returncode}")
        expect(done.stderr.startswith("OpenSSL offers no SHA-256") and done.stderr.count("\n") == 1, done.stderr)
    expect(tandem("--version", environment={"OPENSSL_CONF": str(file)}).returncode == 0, "tandem --version fails")
