"""What is written down of mutants: the table of all, why survivors survive, which ones are replayed."""
import itertools
import re

HEADER = """\
# Mutants of the CUDA kernels

Would the kernels' tests notice a kernel that is wrong? Each barrier is removed in turn, each mask names but
half of its warp, each boundary check is off by one or gone, each clamp loses a side, each rounding up rounds
down; the tests of the file are run on each of these mutants, and must fail. `scripts/mutate-kernels` makes
this table; ctest's `replayed_mutants` judges ten of them in every run.

The last column names the test that failed first, how, and where: under the instrument
(kernels_instrumented_test, which is asked first, because it sees most) or under a schedule of
kernels_emulated_test. A mutant that survives must be harmless, and says why (`mutants/survivors.txt`).

"""
ARROW = " => "
SURVIVES = "survives"


def read_blocks(path):
    """Paragraphs: file, line and change on a line each, the rest is a reason. Comments start with #."""
    blocks = {}
    text = re.sub(r"^# .*\n", "", path.read_text() if path.exists() else "", flags=re.MULTILINE)
    for block in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        if lines:
            blocks[tuple(lines[:3])] = " ".join(lines[3:])
    return blocks


def code(text):
    return "`" + text.replace("|", r"\|") + "`"


def plain(cell):
    return cell.strip().strip("`").replace(r"\|", "|")


def read_table(path):
    """Who killed which mutant, by its name; nobody, "", a survivor."""
    killers, file = {}, ""
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("## "):
            file = line[3:]
        elif line.startswith("| `"):
            source, change, verdict = re.split(r"(?<!\\) \| ", line.removeprefix("| ").removesuffix(" |"))
            change = ARROW.join(plain(part) for part in change.split(ARROW))
            killers[file, plain(source), change] = "" if verdict.startswith(SURVIVES) else verdict
    return killers


def write_table(path, mutants, killers, reasons):
    """What is known of those mutants that there are, in their order."""
    known = [mutant for mutant in mutants if mutant.name in killers]
    survivors = sum(not killers[mutant.name] for mutant in known)
    with path.open("w") as out:
        out.write(HEADER)
        out.write(f"{len(mutants)} mutants: {len(known) - survivors} are killed, {survivors} survive")
        waiting = len(mutants) - len(known)
        out.write(f", {waiting} are still to be judged (`--missing`).\n" if waiting else ".\n")
        for file, of_file in itertools.groupby(known, lambda mutant: mutant.file):
            out.write(f"\n## {file}\n\n| line | change | killed by |\n|---|---|---|\n")
            for mutant in of_file:
                change = ARROW.join(code(part) for part in mutant.change.split(ARROW))
                verdict = killers[mutant.name] or f"{SURVIVES}: {reasons.get(mutant.name, 'why?')}"
                out.write(f"| {code(mutant.line)} | {change} | {verdict} |\n")


def complaints(mutants, killers, reasons):
    """What a person has yet to explain, and what nobody need explain any more."""
    names = {mutant.name for mutant in mutants}
    for name, killer in killers.items():
        if name in names and not killer and name not in reasons:
            yield ("survives, nobody says why", *name)
        if name in names and killer and name in reasons:
            yield ("is killed, though there is a reason why it survives", *name)
    for name in reasons:
        if name not in names:
            yield ("is no mutant, though there is a reason why it survives", *name)
