"""Where a kernel's source can be broken, and into what.

  barriers     removed: __syncthreads, __syncwarp, a group's sync(), the wait of an asynchronous copy
  masks        of shuffles, votes and reductions: name the lower half of the warp
  checks       every condition in device code, of if, while, for, ?: and bool: a comparison is off by one, or
               one of the clauses between && and || does not count. Not the conditions of loops whose trips
               are known at compile time: they repeat and guard nothing.
  clamps       min and max in device code: one of the arguments alone
  roundings    (n + size - 1) / size, which is often a grid's size: down instead of up

The sources are formatted by clang-format, so spaces tell `a < b` from `f<T>(b)`.
"""
import dataclasses
import re

BARRIER = re.compile(r"\b__syncthreads\w*\([^()]*\)|\b__syncwarp\([^()]*\)|"
                     r"\b\w+\.sync\(\)|\bwait_async<[^<>]*>\(\)")
WITH_MASK = re.compile(r"\b(?:__\w+_sync|__syncwarp)\(\s*([^,()]+)")
COMPARISON = re.compile(r"(?<=\s)(<=|>=|<|>)(?=\s)")
OFF_BY_ONE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
CLAMP = re.compile(r"\b(?:std::)?(?:min|max)\(")
ROUNDING = re.compile(r" \+ ([\w.:]+(?:<\w+>)?) - 1(?=\) / \1)| \+ (\d+)(?=\) / (\d+))")
CONSTANT = re.compile(r"k[A-Z]\w*|[A-Z]|detail|std|int|int64_t|unsigned|true|false")  # known at compile time
REMOVED = ""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A change of one place. Named by its line's text: edits elsewhere in the file leave the name."""
    file: str
    line: str    # all lines that the change touches, in one
    change: str  # "a < b => a <= b", "__syncthreads() => nothing"
    text: str    # of the whole file, mutated

    @property
    def name(self):
        return (self.file, self.line, self.change)


def find(file, text):
    """All mutants of a source file, in the order of its lines."""
    mutants, seen = [], {}
    for begin, end, new, first, last in sorted(set(changes(code_only(text)))):
        line = one_line(text[text.rfind("\n", 0, begin) + 1:text.find("\n", end)])
        broken = one_line(text[first:begin] + new + text[end:last])
        change = f"{one_line(text[first:last])} => {broken or 'nothing'}"
        seen[line, change] = seen.get((line, change), 0) + 1
        if seen[line, change] > 1:
            change += f" (number {seen[line, change]})"
        mutants.append(Mutant(file, line, change, text[:begin] + new + text[end:]))
    return mutants


def one_line(text):
    return " ".join(text.split())


def changes(code):
    """Of each its begin, its end and the new text; and begin and end of what shows it to a reader."""
    for found in ROUNDING.finditer(code):
        if found[1] or int(found[2]) + 1 == int(found[3]):
            yield *found.span(), REMOVED, *found.span()
    for begin, end in device_bodies(code):
        for first, last, new in [*barriers_and_masks(code, begin, end), *clamps(code, begin, end)]:
            yield first, last, new, first, last
        yield from checks(code, begin, end)


def barriers_and_masks(code, begin, end):
    for found in BARRIER.finditer(code, begin, end):
        yield *found.span(), REMOVED
    for found in WITH_MASK.finditer(code, begin, end):
        if found[1].strip():
            yield *found.span(1), f"{found[1]} & 0xffffu"


def clamps(code, begin, end):
    """An argument alone is no number, and not the limit of what is clamped already."""
    for found in CLAMP.finditer(code, begin, end):
        closing = matching(code, found.end() - 1)
        arguments = [code[slice(*argument)] for argument in split(code, found.end(), closing, ",")]
        clamped = [argument for argument in arguments if CLAMP.match(argument)]
        for argument in clamped or arguments:
            if not argument.isdigit():
                yield found.start(), closing + 1, argument


def checks(code, begin, end):
    fixed = [(found.start(), code.index(";", found.start()))
             for found in re.finditer(r"\b(?:constexpr \w+ \w+|static_assert)\b", code[:end])
             if found.start() > begin]
    shown = []
    for first, last, replacements in conditions(code, begin, end):
        if replacements is None:
            fixed.append((first, last))
            continue
        for clause in clauses(code, first, last):
            shown.append(clause)
            if not is_constant(code[slice(*clause)]):
                for new in replacements:
                    yield *clause, new, *clause
    for found in COMPARISON.finditer(code, begin, end):
        if not any(first <= found.start() < last for first, last in fixed):
            around = [clause for clause in shown if clause[0] < found.start() < clause[1]]
            smallest = min(around, key=lambda clause: clause[1] - clause[0], default=found.span())
            yield *found.span(), OFF_BY_ONE[found[1]], *smallest


def conditions(code, begin, end):
    """Of each its begin, its end and what a clause becomes that does not count; None: it is constant."""
    for found in re.finditer(r"\b(if|while|for)( constexpr)? \(", code[begin:end]):
        opening = begin + found.end() - 1
        closing = matching(code, opening)
        if found[2]:
            yield opening + 1, closing, None
        elif found[1] == "if":
            leaves = re.match(r"\s*(return|continue|break)\b", code[closing + 1:])
            guards = leaves and len(split(code, opening + 1, closing, "&&")) == 1
            yield opening + 1, closing, ("false",) if guards else ("true",)
        elif found[1] == "while":
            yield opening + 1, closing, loop_replacements(code, opening + 1, closing)
        elif ";" in code[opening:closing]:
            first, condition, _ = split(code, opening + 1, closing, ";")
            fixed = has_fixed_trips(code[slice(*first)], code[slice(*condition)])
            yield *condition, None if fixed else loop_replacements(code, *condition)
    for found in re.finditer(r"\s\? ", code[begin:end]):
        at = begin + found.start()
        yield start_of_operand(code, at), at, ("true", "false")
    for found in re.finditer(r"\bbool \w+ = ", code[begin:end]):
        at = begin + found.end()
        yield *split(code, at, code.index(";", at), ",")[0], ("true",)


def loop_replacements(code, begin, end):
    """A loop with no condition would only hang."""
    return ("true",) if len(clauses(code, begin, end)) > 1 else ()


def has_fixed_trips(first, condition):
    variable = re.search(r"(\w+) = ", first)
    names = re.findall(r"\b[A-Za-z_]\w*", first.split(" = ")[-1] + " " + condition)
    return bool(variable) and all(name == variable[1] or is_constant(name) for name in names)


def is_constant(expression):
    return all(CONSTANT.fullmatch(name) for name in re.findall(r"\b[A-Za-z_]\w*", expression))


# C++ text, as far as we need to understand it.

OPENING, CLOSING = "([{", ")]}"


def code_only(text):
    """As long as the text; blanks for comments, strings and what the preprocessor leaves to nvcc alone."""
    def blank(found):
        return re.sub(r"[^\n]", " ", found.group())
    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.DOTALL)
    text = re.sub(r"^#else$.*?^#endif$", blank, text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.MULTILINE)


def device_bodies(code):
    """Begin and end of the body of each function that runs on the device."""
    end = 0
    for found in re.finditer(r"\b(?:__global__|__device__)\b", code):
        i = found.end()
        if i < end:
            continue
        while code[i] not in "{;":
            i = matching(code, i) + 1 if code[i] == "(" else i + 1
        if code[i] == "{":
            end = matching(code, i)
            yield i + 1, end


def matching(code, at):
    """The place of the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] in OPENING) - (code[i] in CLOSING)
        if depth == 0:
            return i
    raise ValueError("a bracket is not closed")


def split(code, begin, end, separator):
    """Begins and ends, without spaces, of the parts between separators that stand in no brackets."""
    parts, depth, start, i = [], 0, begin, begin
    while i <= end:
        if i == end or (depth == 0 and code.startswith(separator, i)):
            part = code[start:i]
            parts.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
            i = start = i + len(separator)
            continue
        depth += (code[i] in OPENING) - (code[i] in CLOSING)
        i += 1
    return parts


def clauses(code, begin, end):
    """The operands of && and || in a condition."""
    return [clause for part in split(code, begin, end, "||") for clause in split(code, *part, "&&")]


def start_of_operand(code, at):
    """Where the expression begins that ends at `at`."""
    depth, i = 0, at
    while True:
        i -= 1
        depth += (code[i] in CLOSING) - (code[i] in OPENING)
        before = re.compile(r"[;{},]|(?<![=!<>:])[=?:](?=\s)|\breturn\b").match(code, i)
        if depth < 0 or (depth == 0 and before):
            begin = before.end() if depth == 0 else i + 1
            return begin + len(code[begin:at]) - len(code[begin:at].lstrip())
