"""From PyTorch to values: torch.export traces a function, and each node becomes values."""

from __future__ import annotations

import contextlib
import inspect
import operator
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Union

import torch
from torch import nn

from .._errors import InvalidArgument
from . import values
from .arrays import Array, of_datum
from .operations import RULES, why_not
from .values import Shape, Value

# What a node of the graph stands for: known numbers are tensors.
Result = Union[Array, torch.Tensor, list[Any], Any]


class Part(nn.Module):
    """A function of a module's, as a module that can be traced."""

    def __init__(self, module: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.module = module
        for owner in owners(function):
            if owner not in set(module.modules()):
                self.owner = owner
        # A list, so that a part of the module is not registered again under another name.
        self.function = [function]

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function[0](*inputs)


def owners(*functions: Any) -> list[nn.Module]:
    """The modules that functions are methods of, or are themselves."""
    found = (getattr(function, "__self__", function) for function in functions)
    return [owner for owner in found if isinstance(owner, nn.Module)]


@contextlib.contextmanager
def evaluation(*modules: nn.Module) -> Iterator[None]:
    """Modules in evaluation mode, without gradients, and afterwards as they were."""
    modes = [(part, part.training) for module in modules for part in module.modules()]
    for module in modules:
        module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training


@contextlib.contextmanager
def _traceable() -> Iterator[None]:
    """What looks at numbers, or is one operation where it need not be, is off."""
    distribution = torch.distributions.Distribution
    validate, fast = distribution._validate_args, torch.backends.mha.get_fastpath_enabled()
    distribution.set_default_validate_args(False)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        distribution.set_default_validate_args(validate)
        torch.backends.mha.set_fastpath_enabled(fast)


def trace(
    module: nn.Module,
    function: Callable[..., Any],
    inputs: Sequence[Array | torch.Tensor],
    like: torch.Tensor,
) -> list[Array | torch.Tensor]:
    """What a function makes of the inputs of one datum: a list of tensors.

    `like` is of the device and the type of the module's numbers.
    """
    if not inputs:
        return [tensor.detach().cpu() for tensor in function()]
    part = Part(module, function)
    zeros = (torch.zeros(x.shape) if isinstance(x, Array) else x for x in inputs)
    examples = tuple(x.to(like) for x in zeros)
    try:
        with _traceable():
            program = torch.export.export(part.eval(), examples, strict=False)
    except Exception as error:
        if isinstance(error, InvalidArgument):
            raise
        where, sentence = why(error, module)
        raise InvalidArgument(
            f"{where}: torch.export cannot trace it: {sentence}; "
            "expected the same operations whatever the numbers are"
        ) from error
    return _Graph(program, module, inputs).outputs()


def why(error: Exception, module: nn.Module) -> tuple[str, str]:
    """The part of the module that failed, and the first sentence of what it says."""
    names = {part: name for name, part in module.named_modules()}
    where = type(module).__name__
    trace = error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and names.get(owner):
            where = names[owner]
        trace = trace.tb_next
    lines = str(error).strip().splitlines() or [type(error).__name__]
    sentence = re.split(r"\.\s", lines[0] + " ")[0].strip().rstrip(".")
    return where, sentence


class _Graph:
    """A traced graph, as it is made values node by node."""

    def __init__(
        self,
        program: torch.export.ExportedProgram,
        module: nn.Module,
        inputs: Sequence[Array | torch.Tensor],
    ) -> None:
        self.module = module
        self.nodes = list(program.graph_module.graph.nodes)
        self.order = {node: i for i, node in enumerate(self.nodes)}
        self.results: dict[torch.fx.Node, Result] = {}
        # What tensors of the module are called.
        self.names: dict[int, str] = {}
        signature = program.graph_signature
        self.specs = signature.output_specs
        known = {**program.constants, **program.state_dict}
        called = {
            **signature.inputs_to_lifted_tensor_constants,
            **signature.inputs_to_buffers,
            **signature.inputs_to_parameters,
        }
        others = iter(inputs)
        for node in self.nodes:
            if node.op == "placeholder" and node.name in called:
                name = called[node.name]
                tensor = known[name].detach().cpu()
                self.results[node] = tensor
                self.names[id(tensor)] = _without_wrapper(name)
            elif node.op == "placeholder":
                self.results[node] = next(others)
            elif node.op == "get_attr":
                self.results[node] = operator.attrgetter(node.target)(program.graph_module).cpu()

    def outputs(self) -> list[Array | torch.Tensor]:
        (last,) = (node for node in self.nodes if node.op == "output")
        # Before PyTorch 2.6 what was changed in place is an output, too.
        user = torch.export.graph_signature.OutputKind.USER_OUTPUT
        made = [node for node, spec in zip(last.args[0], self.specs) if spec.kind == user]
        needed = self._needed(made)
        for node in self.nodes:
            if node.op == "call_function" and node in needed:
                result = self._call(node)
                self.results[node] = result
                if _in_place(node):
                    self.results[self._changed(node)] = result
        return [self.results[node] if isinstance(node, torch.fx.Node) else node for node in made]

    def _needed(self, made: list[Any]) -> set[torch.fx.Node]:
        """The nodes that the outputs are made of, with those that change one of these in place."""
        needed = {node for node in made if isinstance(node, torch.fx.Node)}
        for node in reversed(self.nodes):
            changes = _in_place(node) and not needed.isdisjoint(_bases(node))
            if node.op == "call_function" and (node in needed or changes):
                needed.update([node, *node.all_input_nodes])
        return needed

    def _changed(self, node: torch.fx.Node) -> torch.fx.Node:
        """What a node changes in place, if nothing later takes other views of the same numbers."""
        changed = node.args[0]
        shared = set(_bases(node))
        for other in self.nodes[: self.order[node]]:
            if _is_view(other) and not shared.isdisjoint(_bases(other)):
                shared.add(other)
        for view in shared - {changed}:
            if any(self.order[user] > self.order[node] for user in view.users):
                raise Call(self, node).unsupported(
                    "it changes a part of a tensor in place; expected a new tensor"
                )
        return changed

    def _call(self, node: torch.fx.Node) -> Result:
        call = Call(self, node)
        if node.target is operator.getitem:
            sequence, index = node.args
            return self.results[sequence][index]
        if not isinstance(node.target, torch._ops.OpOverload):
            raise call.unsupported(
                "it is no operation on tensors; leave out what is like torch.autocast"
            )
        arguments = call.arguments()
        if not any(isinstance(x, Array) for x in _leaves(list(arguments.values()))):
            return call.compute(arguments)
        rule = RULES.get(call.operation)
        if rule is None:
            raise call.unsupported(why_not(call.operation))
        parameters = inspect.signature(rule).parameters
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            for name in arguments:
                if name not in parameters:
                    raise call.unsupported(f"its argument {name} is not the default")
        return rule(call, **arguments)


class Call:
    """A node of the graph, for the rule that makes it values."""

    def __init__(self, graph: _Graph, node: torch.fx.Node) -> None:
        self.graph, self.node = graph, node

    @property
    def operation(self) -> str:
        """The operation's name; in place or not is all the same."""
        name = self.node.target._schema.name.split("::")[1]
        return name[:-1] if _in_place(self.node) else name

    @property
    def path(self) -> str:
        """Where in the module it is."""
        stack = list((self.node.meta.get("nn_module_stack") or {}).values())
        path = _without_wrapper(stack[-1][0]) if stack else ""
        return path or type(self.graph.module).__name__

    @property
    def shape(self) -> Shape:
        """The shape of what it gives, or of the first of several."""
        value = self.node.meta["val"]
        tensor = value if isinstance(value, torch.Tensor) else value[0]
        return tuple(int(size) for size in tensor.shape)

    def arguments(self) -> dict[str, Any]:
        """The arguments by name, but for defaults; the first one is called `x`."""
        schema = self.node.target._schema.arguments
        given = dict(zip([argument.name for argument in schema], self.node.args))
        given.update(self.node.kwargs)
        arguments = {}
        for i, argument in enumerate(schema):
            if argument.name not in given:
                continue
            value = torch.fx.node.map_arg(
                given[argument.name], lambda node: self.graph.results[node]
            )
            plain = not any(isinstance(x, (Array, torch.Tensor)) for x in _leaves(value))
            if i and plain and argument.has_default_value() and value == argument.default_value:
                continue
            arguments["x" if i == 0 else argument.name] = value
        return arguments

    def compute(self, arguments: dict[str, Any]) -> Any:
        """What it gives for known numbers."""
        if torch.Tag.nondeterministic_seeded in self.node.target.tags:
            raise self.unsupported(
                "it draws random numbers; expected means and scales, without noise"
            )
        schema = self.node.target._schema.arguments
        first = schema[0].name if schema else ""
        named = {first if name == "x" else name: value for name, value in arguments.items()}
        if _in_place(self.node):
            # The module's own numbers stay as they are.
            named[first] = named[first].clone()
        result = self.node.target(**named)
        return result.cpu() if isinstance(result, torch.Tensor) else result

    def unsupported(self, why: str) -> InvalidArgument:
        target = self.node.target
        name = f"aten.{self.operation}" if hasattr(target, "_schema") else str(target)
        return InvalidArgument(f"{self.path}: {name}: {why}")

    # What rules are made of

    def array(self, x: Any) -> Array:
        """Also of known numbers."""
        if isinstance(x, Array):
            return x
        return Array(values.constant(x.reshape(of_datum(x.shape)), self.name(x)), tuple(x.shape))

    def give(self, value: Value, shape: Shape | None = None) -> Array:
        """The numbers of a value, in the shape of what the node gives."""
        shape = self.shape if shape is None else tuple(shape)
        return Array(values.reshape(value, of_datum(shape)), shape)

    def full(self, x: Any) -> Value:
        """A value with all axes that it has in PyTorch."""
        x = self.array(x)
        return values.reshape(x.value, x.shape or (1,))

    def name(self, tensor: torch.Tensor, part: str = "") -> str:
        """What a tensor is called in the module; computed ones are called after the module."""
        name = self.graph.names.get(id(tensor), f"{self.path}.{part or 'constant'}")
        return name[: -len(part) - 1] if part and name.endswith(f".{part}") else name


def _in_place(node: torch.fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return bool(schema and schema.name.endswith("_") and not schema.name.endswith("__"))


def _bases(node: torch.fx.Node) -> list[torch.fx.Node]:
    """What a node takes first, and what that is a view of."""
    bases: list[torch.fx.Node] = []
    while node.args and isinstance(node.args[0], torch.fx.Node):
        node = node.args[0]
        bases.append(node)
        if not _is_view(node):
            break
    return bases


# Operations that give their input or a new tensor, as it comes.
_PERHAPS_VIEWS = ("reshape", "flatten", "contiguous", "to")


def _is_view(node: torch.fx.Node) -> bool:
    """Whether what it gives may be numbers of its first input."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return node.target is operator.getitem
    aliases = any(result.alias_info is not None for result in schema.returns)
    return aliases or schema.name.split("::")[1] in _PERHAPS_VIEWS


def _leaves(tree: Any) -> Iterator[Any]:
    """What is in lists within lists."""
    if isinstance(tree, (list, tuple)):
        for part in tree:
            yield from _leaves(part)
    else:
        yield tree


def _without_wrapper(name: str) -> str:
    """A name within the module, without that of the part around it."""
    for prefix in ("module", "owner"):
        if name == prefix:
            return ""
        if name.startswith(f"{prefix}."):
            return name[len(prefix) + 1 :]
    return name
