using System.Text;

namespace StableTune.Formats;

/// <summary>What the reader makes of a Python name.</summary>
/// <param name="Call">The value of a call, from its arguments; null when it may be named but not called.</param>
/// <param name="Element">The element type, of the names of storages and types.</param>
/// <param name="IsStorage">Whether it names a storage's class.</param>
/// <param name="IsInertClass">Whether objects of it are kept as records of their arguments and state.</param>
internal sealed record GlobalRule(
    Func<PickleMachine, PickleGlobal, PickleSequence, PickleValue>? Call = null, TensorDType? Element = null,
    bool IsStorage = false, bool IsInertClass = false);

/// <summary>All Python names that a pickle may use, and what the reader makes of them. Nothing else is ever looked up anywhere.</summary>
internal static class PickleGlobals
{
    private static readonly Dictionary<string, GlobalRule> Known = Table();

    /// <summary>Classes that checkpoints mention and weights do not need: training callbacks and settings.</summary>
    private static readonly string[] InertModules = ["pytorch_lightning", "omegaconf"];

    /// <summary>The rule of a name; null when it is not known.</summary>
    public static GlobalRule? Find(string module, string name)
    {
        if (Known.TryGetValue($"{module}.{name}", out var rule)) return rule;
        foreach (var inert in InertModules)
            if (module == inert || module.StartsWith(inert + ".", StringComparison.Ordinal)) return new GlobalRule(IsInertClass: true);
        return null;
    }

    private static Dictionary<string, GlobalRule> Table()
    {
        var known = new Dictionary<string, GlobalRule>(StringComparer.Ordinal)
        {
            ["collections.OrderedDict"] = new(Ordered),
            ["torch._utils._rebuild_tensor"] = new(TorchTensors.Rebuild),
            ["torch._utils._rebuild_tensor_v2"] = new(TorchTensors.Rebuild),
            ["torch._utils._rebuild_tensor_v3"] = new(TorchTensors.RebuildTyped),
            ["torch._utils._rebuild_parameter"] = new(First),
            ["torch._utils._rebuild_parameter_with_state"] = new(First),
            ["torch.nn.parameter.Parameter"] = new(First),
            ["torch.nn.modules.container.ParameterDict"] = new((_, _, _) => new PickleDictionary(ordered: true)),
            ["torch.storage.UntypedStorage"] = new(IsStorage: true),
            ["torch.storage.TypedStorage"] = new(IsStorage: true),
            ["torch.Size"] = new(Size),
            ["torch.device"] = new((_, global, arguments) => new PickleRecord(global, arguments)),
            ["numpy.ndarray"] = new(),
            ["numpy.dtype"] = new(NumpyPickle.Type),
            ["_codecs.encode"] = new(Encode),
            ["argparse.Namespace"] = new(IsInertClass: true),
            // What the state of omegaconf's objects mentions: names and empty dictionaries.
            ["collections.defaultdict"] = new((_, _, _) => new PickleDictionary(ordered: false)),
            ["typing.Any"] = new(),
        };
        foreach (var module in new[] { "numpy.core.multiarray", "numpy._core.multiarray" })
        {
            known.Add($"{module}.scalar", new GlobalRule(NumpyPickle.Scalar));
            known.Add($"{module}._reconstruct", new GlobalRule(NumpyPickle.Reconstruct));
        }

        foreach (var module in new[] { "builtins", "__builtin__" })
        {
            known.Add($"{module}.set", new GlobalRule(Set));
            foreach (var name in new[] { "dict", "list", "tuple", "int", "float", "str", "bool", "object" })
                known.Add($"{module}.{name}", new GlobalRule());
        }

        foreach (var (name, type) in TorchTensors.StorageTypes) known.Add($"torch.{name}", new GlobalRule(Element: type, IsStorage: true));
        foreach (var (name, type) in TorchTensors.TypeNames) known.Add($"torch.{name}", new GlobalRule(Element: type));
        return known;
    }

    /// <summary>State that is set on a dictionary: the entries of a ParameterDict, and of an OrderedDict notes of a module that nobody
    /// needs.</summary>
    public static void SetState(PickleMachine machine, PickleDictionary dictionary, PickleValue state)
    {
        if (!dictionary.IsOrdered) throw machine.Fault($"the pickle sets the state of a {dictionary.TypeName}, which has none");
        if (state is not PickleDictionary entries || !entries.TryGet("_parameters", out var parameters)) return;
        if (parameters is not PickleDictionary named)
            throw machine.Fault("the pickle has a ParameterDict whose parameters are no dictionary");
        machine.Charge(32L * named.Count);
        foreach (var (key, value) in named) machine.SetItem(dictionary, key, value);
    }

    private static PickleValue Ordered(PickleMachine machine, PickleGlobal global, PickleSequence arguments)
    {
        var dictionary = new PickleDictionary(ordered: true);
        if (arguments.Count == 0) return dictionary;
        if (arguments is not [PickleSequence pairs])
            throw machine.Fault($"the pickle calls {global} with other arguments than a list of pairs");
        machine.Charge(32L * pairs.Count);
        foreach (var pair in pairs)
        {
            if (pair is not PickleSequence { Count: 2 } entry)
                throw machine.Fault($"the pickle calls {global} with a list of other things than pairs");
            machine.SetItem(dictionary, entry[0], entry[1]);
        }

        return dictionary;
    }

    /// <summary>A parameter is its tensor; whether it wants a gradient is of no meaning in a file.</summary>
    private static PickleValue First(PickleMachine machine, PickleGlobal global, PickleSequence arguments) =>
        arguments.Count > 0 && arguments[0] is PickleTensor tensor ? tensor
            : throw machine.Fault($"the pickle calls {global} without a tensor");

    private static PickleValue Size(PickleMachine machine, PickleGlobal global, PickleSequence arguments) =>
        arguments is [PickleSequence sizes] ? sizes : throw machine.Fault($"the pickle calls {global} with other arguments than sizes");

    private static PickleValue Set(PickleMachine machine, PickleGlobal global, PickleSequence arguments)
    {
        if (arguments.Count == 0) return new PickleSequence(PickleSequenceKind.Set);
        if (arguments is not [PickleSequence items]) throw machine.Fault($"the pickle calls {global} with other arguments than a list");
        machine.Charge(32L * items.Count);
        return new PickleSequence(PickleSequenceKind.Set, items);
    }

    /// <summary>How Python 3 writes bytes in protocol 2: as a text in Latin-1.</summary>
    private static PickleValue Encode(PickleMachine machine, PickleGlobal global, PickleSequence arguments)
    {
        if (arguments is not [PickleText text, PickleText { Value: "latin1" or "latin-1" }])
            throw machine.Fault($"the pickle calls {global} with other arguments than a text and 'latin1'");
        machine.Charge(text.Value.Length);
        if (text.Value.AsSpan().ContainsAnyExceptInRange('\0', '\u00FF'))
            throw machine.Fault("a text that stands for bytes has characters beyond Latin-1");
        return new PickleBytes(StoredBytes.Of(Encoding.Latin1.GetBytes(text.Value)));
    }
}
