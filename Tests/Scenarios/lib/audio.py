"""G.711, tones and loudness, from the tables of ITU-T G.711 and Q.23."""

import math
import random

DIGITS = "0123456789*#ABCD"
FREQUENCIES = {d: (r, c) for row, r in zip(("123A", "456B", "789C", "*0#D"), (697, 770, 852, 941))
               for d, c in zip(row, (1209, 1336, 1477, 1633))}
FRAME = 160


def _alaw_to_linear(code):
    code ^= 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    value = (mantissa << 4) + 8
    if exponent:
        value = (value + 0x100) << (exponent - 1)
    return value if code & 0x80 else -value


def _ulaw_to_linear(code):
    code = ~code & 0xFF
    value = (((code & 15) << 3) + 0x84 << ((code >> 4) & 7)) - 0x84
    return -value if code & 0x80 else value


TO_LINEAR = {8: [_alaw_to_linear(code) for code in range(256)], 0: [_ulaw_to_linear(code) for code in range(256)]}
SILENCE = {8: b"\xd5" * FRAME, 0: b"\xff" * FRAME}
_nearest = {}


def encode(samples, codec):
    """Encodes by looking for the nearest decoded value: slow, obvious, and only done for short tones."""
    table = TO_LINEAR[codec]
    cache = _nearest.setdefault(codec, {})
    out = bytearray()
    for sample in samples:
        key = int(sample) >> 2
        if key not in cache:
            cache[key] = min(range(256), key=lambda code: abs(table[code] - (key << 2)))
        out.append(cache[key])
    return bytes(out)


def tone(frequencies, milliseconds, codec, amplitude=6000):
    samples = [sum(amplitude * math.sin(2 * math.pi * f * n / 8000) for f in frequencies)
               for n in range(milliseconds * 8)]
    return frames(encode(samples, codec), codec)


def frames(data, codec):
    data += SILENCE[codec][: -len(data) % FRAME]
    return [data[at: at + FRAME] for at in range(0, len(data), FRAME)]


def noise_frames(count, codec, seed):
    """Frames that occur nowhere else, so that an echo of them is recognised byte by byte."""
    source = random.Random(seed)
    return [bytes(source.randrange(256) for _ in range(FRAME)) for _ in range(count)]


_squares = {codec: [value * value for value in table] for codec, table in TO_LINEAR.items()}


def loudness(payload, codec):
    """Root mean square of a frame on the 16-bit scale, where a spoken syllable is 500 to 8,000."""
    squares = _squares.get(codec)
    return math.sqrt(sum(squares[byte] for byte in payload) / len(payload)) if squares and payload else 0.0
