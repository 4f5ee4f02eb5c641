"""Derived profile sets: a copy of the shipped profiles with single keys changed, by text, without a YAML library."""

import re
import shutil


def copy(source, target):
    shutil.copytree(source, target)


def _span(lines, path):
    """(line index, indent, end index) of the key at a dotted path in block-style YAML, or None."""
    start, end, indent = 0, len(lines), -1
    found = None
    for name in path:
        found = None
        child_indent = None
        for index in range(start, end):
            line = lines[index]
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            depth = len(line) - len(line.lstrip())
            if depth <= indent:
                break
            if child_indent is None:
                child_indent = depth
            if depth == child_indent and re.match(rf"{re.escape(name)}\s*:", line.lstrip()):
                stop = index + 1
                while stop < end:
                    inner = lines[stop]
                    if inner.strip() and not inner.lstrip().startswith("#"):
                        inner_depth = len(inner) - len(inner.lstrip())
                        if inner_depth < depth or (inner_depth == depth and not inner.lstrip().startswith("- ")):
                            break
                    stop += 1
                found = (index, depth, stop)
                break
        if not found:
            return None
        start, indent, end = found[0] + 1, found[1], found[2]
    return found


def change(file, path, value):
    """Sets the key at `a.b.c` (made where missing) to a YAML text in one line; None removes it."""
    lines = file.read_text().splitlines()
    names = path.split(".")
    span = _span(lines, names)
    if span:
        index, depth, stop = span
        while stop > index + 1 and (not lines[stop - 1].strip() or lines[stop - 1].lstrip().startswith("#")):
            stop -= 1
        lines[index:stop] = [] if value is None else [f"{' ' * depth}{names[-1]}: {value}"]
    elif value is not None:
        parent = _span(lines, names[:-1]) if len(names) > 1 else None
        if len(names) > 1 and parent is None:
            change(file, ".".join(names[:-1]), "")
            return change(file, path, value)
        if parent:
            lines.insert(parent[0] + 1, f"{' ' * (parent[1] + 2)}{names[-1]}: {value}".rstrip())
        else:
            lines.append(f"{names[-1]}: {value}".rstrip())
    file.write_text("\n".join(lines) + "\n")


def read(file, path):
    """The text of a one-line value, or of a block; None where the key is missing."""
    lines = file.read_text().splitlines()
    span = _span(lines, path.split("."))
    if not span:
        return None
    first = lines[span[0]].split(":", 1)[1].split(" #")[0].strip()
    return first or "\n".join(lines[span[0] + 1: span[2]])


def menu(folder):
    """The menu file of line 95533, as the profile of center-a names it."""
    found = re.search(r"menu:\s*([\w./-]+\.yaml)", (folder / "center-a.yaml").read_text())
    return folder / found.group(1)
