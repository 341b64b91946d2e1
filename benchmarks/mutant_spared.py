"""What no mutant changes: types, exports, messages, and what is there for readers or for speed."""

import ast
from collections.abc import Iterator

UNSEEN = {"help", "metavar", "rich_help_panel", "encoding", "strict", "cache", "stacklevel"}
SAYING = {"Option", "Argument", "Typer", "warn", "dataclass", "TypeVar", "NewType", "cast"}


def read(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is within a node and says what is done: neither annotations nor messages."""
    unread = {"annotation", "returns", "type_params"}
    if isinstance(node, ast.Raise):
        return
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            unseen = isinstance(child, ast.keyword) and child.arg in UNSEEN
            if isinstance(child, ast.AST) and name not in unread and not unseen:
                yield child


def aside(node: ast.AST) -> bool:
    """Tell whether nothing in a node is changed: types, exports, messages, docstrings."""
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.Assign(value=ast.Subscript(value=ast.Name(id=name)), targets=[ast.Name(id=alias)]):
            return name[:1].isupper() and alias[:1].isupper() and not alias.isupper()
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in SAYING
    return False


def types_or_text(node: ast.BinOp) -> bool:
    """Tell whether two operands are types, of which one is meant, or texts, one after another."""
    sides = node.left, node.right
    if isinstance(node.op, ast.BitOr):
        names = [getattr(one, "id", getattr(one, "attr", "")) for one in sides]
        known = {"int", "str", "float", "bool", "bytes", "list", "dict", "tuple", "set"}
        return any(
            constant(one, None) or name in known or (name[:1].isupper() and not name.isupper())
            for one, name in zip(sides, names, strict=True)
        )
    texts = (isinstance(getattr(one, "value", None), str) for one in sides)
    return any(isinstance(one, ast.JoinedStr) for one in sides) or any(texts)


def constant(node: ast.AST, value: object) -> bool:
    """Tell whether a node is a constant."""
    return isinstance(node, ast.Constant) and node.value is value
