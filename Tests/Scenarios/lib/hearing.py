"""Which prompts a caller was told, from the audio it got: the clips are WAV files, and G.711 of them is looked for in the
bytes that came. Nobody is asked what was said."""

import bisect
import functools
import pathlib
import wave


@functools.lru_cache(maxsize=1)
def _alaw():
    """The byte of every 16-bit sample, by the decision values of ITU-T G.711 table 1."""
    table = bytearray(65536)
    edges = [0] + [16 * n for n in range(1, 32)] + [16 * n << shift for shift in range(1, 7) for n in range(16, 32)][0:]
    edges = sorted(set(edges))
    for sample in range(-32768, 32768):
        magnitude = sample if sample >= 0 else ~sample
        code = min(bisect.bisect_right(edges, magnitude) - 1, 127)
        table[sample & 0xFFFF] = (code | (0x80 if sample >= 0 else 0)) ^ 0x55
    return bytes(table)


def encoded(file):
    """A clip of 8 kHz as A-law bytes."""
    with wave.open(str(file)) as source:
        if (source.getframerate(), source.getsampwidth(), source.getnchannels()) != (8000, 2, 1):
            raise ValueError(f"{file}: not 8 kHz, 16 bits, mono")
        data = source.readframes(source.getnframes())
    table = _alaw()
    return bytes(table[data[at] | data[at + 1] << 8] for at in range(0, len(data) - 1, 2))


class Ears:
    """Knows some clips of one language: for each a few slices that occur in no other of them."""

    SLICE = 320  # 40 ms

    def __init__(self, prompts, language, names):
        folder = pathlib.Path(prompts) / language
        clips = {name: encoded(folder / f"{name}.wav") for name in names}
        self.slices = {}
        for name, data in clips.items():
            found = []
            for share in (0.15, 0.3, 0.45, 0.6, 0.75, 0.9):
                at = int(len(data) * share)
                part = data[at:at + self.SLICE]
                if len(set(part)) > 20 and sum(part in other for other in clips.values()) == 1:
                    found.append(part)
            if not found:
                raise ValueError(f"{name}: nothing in it is its own")
            self.slices[name] = found

    def heard(self, packets):
        """[(when, clip, share of it)] in the order in which it was spoken, for packets of A-law."""
        runs, at, ssrc = [], [], None
        for packet in packets:
            if packet.payload_type != 8:
                continue
            if packet.ssrc != ssrc:
                runs.append((bytearray(), []))
                ssrc = packet.ssrc
            runs[-1][1].append((len(runs[-1][0]), packet.at))
            runs[-1][0].extend(packet.payload)
        told = []
        for data, marks in runs:
            data = bytes(data)
            offsets = [offset for offset, _ in marks]
            for name, slices in self.slices.items():
                hits = []
                for index, part in enumerate(slices):
                    start = data.find(part)
                    while start >= 0:
                        hits.append((start, index))
                        start = data.find(part, start + 1)
                hits.sort()
                # Slices of one speaking follow each other; an earlier one again means that it was spoken again.
                last = None
                for start, index in hits:
                    when = marks[bisect.bisect_right(offsets, start) - 1][1]
                    if last is not None and index > last:
                        told[-1] = (told[-1][0], name, (index + 1) / len(slices))
                    else:
                        told.append((when, name, (index + 1) / len(slices)))
                    last = index
        return sorted(told)
