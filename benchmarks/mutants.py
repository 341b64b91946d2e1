"""Small changes of a source file, one at a time: what `mutation.py` asks the tests to notice.

Only the text of the changed node is replaced, the rest of the file stays as it is.
"""

import ast
import re
from dataclasses import dataclass, field
from hashlib import sha256

from mutant_spared import UNSEEN, aside, constant, read, types_or_text

COMPARED = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"), ast.Is: ("is", "is not"), ast.IsNot: (r"is\s+not", "is"),
}  # fmt: skip
COMPUTED = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "%"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*"), ast.MatMult: ("@", "*"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.BitXor: ("^", "&"),
    ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"),
}  # fmt: skip
OPPOSITE = (ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.Is, ast.IsNot)
BY_TEXT = {"get", "pop", "startswith", "endswith", "removeprefix", "removesuffix", "partition"}
LAZY = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes:
        path: File below the package.
        operator: What kind of change.
        line: Line that it begins in.
        span: Lines of the statement that it lies in, or of the head of it: first and last.
        functions: Names of the functions that it lies in, outermost first.
        before: Its line as it was.
        after: Its line, changed.
        change: Where it begins and ends [bytes], and what comes there instead.
        key: What it is called as long as its function and its line stay.
    """

    path: str
    operator: str
    line: int
    span: tuple[int, int]
    functions: tuple[str, ...]
    before: str
    after: str
    change: tuple[int, int, bytes] = field(repr=False)
    key: str

    def applied(self, text: bytes) -> bytes:
        """Return the file's text with the change."""
        begin, end, new = self.change
        return text[:begin] + new + text[end:]

    def says_something(self, text: bytes) -> bool:
        """Tell whether the file still compiles, and says something else than before."""
        changed = self.applied(text)
        try:
            compile(changed, self.path, "exec", dont_inherit=True)
        except SyntaxError:
            return False
        return ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text))


def mutants(path: str, text: bytes) -> list[Mutant]:
    """Return every mutant of a file.

    Args:
        path: The file, below the package.
        text: What stands in it.

    Returns:
        Each change, whether or not it `says_something`: that takes longer to find out.
    """
    found = _Changes(path, text)
    found.visit(ast.parse(text))
    return found.made


class _Changes(ast.NodeVisitor):
    """Walks a file and notes changes; knows the statement and the functions it is in."""

    def __init__(self, path: str, text: bytes) -> None:
        self.path, self.text, self.made = path, text, list[Mutant]()
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.functions: tuple[str, ...] = ()
        self.span = (1, 1)
        self.seen: dict[str, int] = {}

    def at(self, node: ast.AST, *, end: bool = False) -> int:
        """Return where a node begins or ends [bytes]."""
        if end:
            return self.starts[node.end_lineno - 1] + node.end_col_offset
        return self.starts[node.lineno - 1] + node.col_offset

    def note(self, operator: str, begin: int, end: int, new: str) -> None:
        """Keep a change."""
        number = self.text.count(b"\n", 0, begin)
        first, last = self.starts[number], self.starts[number + 1]
        before = self.text[first:last]
        if b"# pragma" in before:
            return
        after = self.text[first:begin] + new.encode() + self.text[end : max(last, end)]
        words = [*self.functions, operator, before.decode().strip(), after.decode().strip()]
        name = "\n".join((self.path, *words))
        self.seen[name] = self.seen.get(name, 0) + 1
        key = sha256(f"{name}\n{self.seen[name]}".encode()).hexdigest()[:16]
        lines = before.decode().strip(), after.decode().splitlines()[0].strip()
        change = begin, end, new.encode()
        self.made.append(
            Mutant(self.path, operator, number + 1, self.span, self.functions, *lines, change, key)
        )

    def between(self, operator: str, left: ast.AST, right: ast.AST, pair: tuple[str, str]) -> None:
        """Change the sign or word that stands between two nodes."""
        begin, end = self.at(left, end=True), self.at(right)
        gap, (old, new) = self.text[begin:end].decode(), pair
        if "#" not in gap and (sign := re.search(old if "\\" in old else re.escape(old), gap)):
            self.note(operator, begin + sign.start(), begin + sign.end(), new)

    def swap(self, operator: str, node: ast.AST, new: str) -> None:
        """Put something in the place of a node."""
        self.note(operator, self.at(node), self.at(node, end=True), new)

    def source(self, node: ast.AST) -> str:
        """Return a node as it is written."""
        return self.text[self.at(node) : self.at(node, end=True)].decode()

    def visit(self, node: ast.AST) -> None:
        """Note the changes of a node, then of those within it that are read at all."""
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr)) or aside(node):
            return
        outside = self.span, self.functions
        getattr(self, f"on_{type(node).__name__.lower()}", _nothing)(node)
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno
            self.span = node.lineno, max(node.lineno, last)
            self.statement(node)
        elif isinstance(node, ast.match_case):
            self.span = node.pattern.lineno, max(node.pattern.lineno, node.body[0].lineno - 1)
        for child in read(node):
            inside = isinstance(node, LAZY[:2]) and child in node.body
            self.functions = (*outside[1], node.name) if inside else outside[1]
            self.visit(child)
        self.span, self.functions = outside

    def statement(self, node: ast.stmt) -> None:
        """Note what may happen to a whole statement."""
        goes = isinstance(node, (ast.AugAssign, ast.Raise, ast.Continue, ast.Break, ast.Delete))
        goes |= isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        goes |= isinstance(node, ast.Assign) and not isinstance(
            node.targets[0], (ast.Name, ast.Tuple)
        )
        if goes:
            self.swap("statement left out", node, "pass")
        if isinstance(node, ast.AugAssign) and type(node.op) in COMPUTED:
            old, new = COMPUTED[type(node.op)]
            self.between("arithmetic", node.target, node.value, (f"{old}=", f"{new}="))
        if isinstance(node, ast.Return) and node.value and not constant(node.value, None):
            self.swap("returns None", node.value, "None")
        if isinstance(node, (ast.If, ast.While)):
            self.condition(node.test)

    def on_compare(self, node: ast.Compare) -> None:
        """Change each comparison, and the texts that are compared."""
        operands = node.left, *node.comparators
        for left, right, sign in zip(operands, node.comparators, node.ops, strict=False):
            self.between("comparison", left, right, COMPARED[type(sign)])
        for one in operands:
            for text in getattr(one, "elts", [one]):
                self.words(text)

    def on_binop(self, node: ast.BinOp) -> None:
        """Compute something else."""
        if not types_or_text(node):
            self.between("arithmetic", node.left, node.right, COMPUTED[type(node.op)])

    def on_boolop(self, node: ast.BoolOp) -> None:
        """Take and for or."""
        pair = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between("and, or", left, right, pair)

    def on_unaryop(self, node: ast.UnaryOp) -> None:
        """Leave out what stands before."""
        self.swap("sign or not", node, f"({self.source(node.operand)})")

    def on_ifexp(self, node: ast.IfExp) -> None:
        """Take the other value."""
        self.condition(node.test)

    def on_comprehension(self, node: ast.comprehension) -> None:
        """Keep what is not kept."""
        for test in node.ifs:
            self.condition(test)

    def on_dict(self, node: ast.Dict) -> None:
        """Change the keys."""
        for one in node.keys:
            self.words(one)

    def on_subscript(self, node: ast.Subscript) -> None:
        """Look something else up."""
        for one in getattr(node.slice, "elts", [node.slice]):
            self.words(one)

    def on_matchvalue(self, node: ast.MatchValue) -> None:
        """Match something else."""
        self.words(node.value)

    def condition(self, test: ast.expr) -> None:
        """Turn a condition round, unless another change already does."""
        turned = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        alone = isinstance(test, ast.Compare) and len(test.ops) == 1
        if not turned and not (alone and isinstance(test.ops[0], OPPOSITE)):
            self.swap("condition", test, f"(not ({self.source(test)}))")

    def on_constant(self, node: ast.Constant) -> None:
        """Change a number, or True and False."""
        value = node.value
        if isinstance(value, bool):
            self.swap("True, False", node, str(not value))
        elif isinstance(value, int):
            self.swap("constant", node, str(value + 1))
        elif isinstance(value, float):
            self.swap("constant", node, repr(value * 1.5 if value else 1.0))

    def words(self, node: ast.AST | None) -> None:
        """Change a text that something is looked up by or compared with."""
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            marked = node.value + ("~" if isinstance(node.value, str) else b"~")
            self.swap("text", node, repr(marked))

    def on_call(self, node: ast.Call) -> None:
        """Leave out arguments given by name, one at a time; change texts that are looked for."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in BY_TEXT and node.args:
            self.words(node.args[0])
        for one in node.keywords:
            if one.arg is None or one.arg in UNSEEN:
                continue
            begin, end = self.at(one), self.at(one, end=True)
            if comma := re.match(rb"\s*,", self.text[end:]):
                end += comma.end()
            elif comma := re.search(rb",\s*$", self.text[:begin]):
                begin = comma.start()
            self.note("argument left out", begin, end, "")


def _nothing(node: ast.AST) -> None:
    """Change nothing."""
