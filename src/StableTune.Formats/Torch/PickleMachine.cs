using System.Runtime.InteropServices;

namespace StableTune.Formats;

/// <summary>
/// Reads one pickle as data. A pickle is a program for a small stack machine whose one dangerous instruction calls any Python function
/// by name; here a name is looked up in a table of some forty (<see cref="PickleGlobals"/>), and what is not in it ends the reading.
/// </summary>
/// <remarks>
/// What it costs is bounded by the file: instructions that copy or hash what was read before are charged, so that a few bytes cannot be
/// made to work over a large text again and again.
/// </remarks>
/// <param name="source">The pickle's bytes.</param>
/// <param name="persistent">Turns persistent ids (the storages of tensors) into values.</param>
/// <param name="largeBytesStay">Whether bytes of more than 4 KB stay in the file (NumPy arrays), instead of being read into memory.</param>
internal sealed partial class PickleMachine(
    PickleSource source, Func<PickleMachine, PickleValue, PickleValue> persistent, bool largeBytesStay = false)
{
    /// <summary>How deep containers may be nested.</summary>
    public const int MaximumNesting = 1000;

    private const int MaximumMemo = 10_000_000;
    private const int MaximumInstructions = 20_000_000;

    private readonly List<PickleValue> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<uint, PickleValue> _memo = [];
    private readonly Dictionary<(string Module, string Name), PickleGlobal> _globals = [];
    private long _work;

    /// <summary>Where the instruction that is being run lies.</summary>
    private long _at;

    public PickleSource Source { get; } = source;

    /// <summary>Runs the pickle to its end.</summary>
    /// <exception cref="InvalidFileException">The pickle is damaged, too large, or asks for what is not in the tables.</exception>
    public PickleValue Run()
    {
        for (var count = 1; ; count++)
        {
            if (count > MaximumInstructions)
                throw Source.Fault($"the pickle has more than {MaximumInstructions} instructions.", TorchFaults.Convert);
            _at = Source.Position;
            var code = Source.TryReadByte();
            if (code < 0) throw Source.Truncated();
            if (code == Stop) break;
            (Codes[code].Run ?? throw Refused(code))(this);
        }

        if (_marks.Count > 0 || _stack.Count != 1)
            throw Source.Fault($"the pickle ends at {Source.Place(_at)} with {_stack.Count} values instead of one.");
        PickleNesting.Check(_stack[0], Source);
        return _stack[0];
    }

    /// <summary>A fault of the instruction that is being run.</summary>
    public InvalidFileException Fault(string what) => Source.Fault($"{what} (at {Source.Place(_at)}).");

    /// <summary>Counts work over this many values or bytes that the file did not pay for again.</summary>
    public void Charge(long cost)
    {
        _work += cost;
        if (_work > (1 << 20) + (16 * Source.Consumed))
            throw Source.Fault(
                $"the pickle repeats itself without end: up to {Source.Place(_at)} it makes {_work} bytes out of {Source.Consumed}.",
                "Do not trust the file: no program writes such ones by accident.");
    }

    private InvalidFileException Refused(int code) => Source.Fault(
        $"the pickle uses the instruction {Codes[code].Name ?? "of no name"} (0x{code:X2}) at {Source.Place(_at)}, which weights do not "
            + $"need; it was not run.",
        $"If the file is whole, it holds more than weights. {TorchFaults.Convert}");

    private void Push(PickleValue value) => _stack.Add(value);

    private PickleValue Pop()
    {
        if (_stack.Count <= Floor) throw Fault("the pickle takes a value where it put none");
        var value = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private PickleValue Peek() => _stack.Count > Floor ? _stack[^1] : throw Fault("the pickle takes a value where it put none");

    private int Floor => _marks.Count == 0 ? 0 : _marks[^1];

    private void Mark()
    {
        if (_marks.Count == MaximumNesting)
            throw Source.Fault($"the pickle is nested more than {MaximumNesting} deep at {Source.Place(_at)}.", TorchFaults.Convert);
        _marks.Add(_stack.Count);
    }

    /// <summary>The number of values above the last mark, which is taken away.</summary>
    private int PopMark()
    {
        if (_marks.Count == 0) throw Fault("the pickle ends a group that it did not begin");
        var count = _stack.Count - _marks[^1];
        _marks.RemoveAt(_marks.Count - 1);
        return count;
    }

    private ReadOnlySpan<PickleValue> Top(int count)
    {
        if (_stack.Count - count < Floor) throw Fault("the pickle takes a value where it put none");
        return CollectionsMarshal.AsSpan(_stack)[^count..];
    }

    private void Drop(int count) => _stack.RemoveRange(_stack.Count - count, count);

    /// <summary>Makes a sequence of the topmost values.</summary>
    private void Gather(PickleSequenceKind kind, int count)
    {
        var sequence = new PickleSequence(kind);
        sequence.AddRange(Top(count));
        Drop(count);
        Push(sequence);
    }

    private void AppendTo(int count, PickleSequenceKind kind)
    {
        var items = Top(count);
        if (_stack.Count - count <= Floor || _stack[^(count + 1)] is not PickleSequence sequence || sequence.Kind != kind)
            throw Fault("the pickle appends to what is no list or set");
        sequence.AddRange(items);
        Drop(count);
    }

    private void SetItems(int count)
    {
        if (count % 2 != 0) throw Fault("the pickle sets a key without a value");
        var items = Top(count);
        if (_stack.Count - count <= Floor || _stack[^(count + 1)] is not PickleDictionary dictionary)
            throw Fault("the pickle sets items of what is no dictionary");
        for (var i = 0; i < count; i += 2) SetItem(dictionary, items[i], items[i + 1]);
        Drop(count);
    }

    /// <summary>Sets an item after looking at the key.</summary>
    public void SetItem(PickleDictionary dictionary, PickleValue key, PickleValue value)
    {
        if (!PickleKeys.CanBeKey(key)) throw Fault($"the pickle uses {key} as a dictionary key");
        Charge(PickleKeys.Cost(key));
        dictionary.Set(key, value);
    }

    private void Memoize(uint index)
    {
        _memo[index] = Peek();
        if (_memo.Count > MaximumMemo)
            throw Source.Fault($"the pickle remembers more than {MaximumMemo} values.", TorchFaults.Convert);
    }

    private void Recall(uint index)
    {
        if (!_memo.TryGetValue(index, out var value)) throw Fault($"the pickle recalls value {index}, which it did not remember");
        Push(value);
    }

    private void Global(string module, string name)
    {
        if (!_globals.TryGetValue((module, name), out var global))
        {
            if (PickleGlobals.Find(module, name) is not { } rule)
                throw Source.Fault(
                    $"the pickle asks at {Source.Place(_at)} for {PickleNames.Quote($"{module}.{name}")}, which weights do not need.",
                    TorchFaults.Untrusted);
            _globals.Add((module, name), global = new PickleGlobal(module, name, rule));
        }

        Push(global);
    }

    /// <summary>A call, which only the table answers.</summary>
    private void Call(bool isNew)
    {
        var arguments = Pop() as PickleSequence;
        var callee = Pop();
        if (callee is not PickleGlobal global) throw Fault($"the pickle calls {callee}, which is no function");
        if (arguments is not { Kind: PickleSequenceKind.Tuple }) throw Fault($"the pickle calls {global} without a tuple of arguments");
        if (global.Rule.Call is { } call) Push(call(this, global, arguments));
        else if (isNew && global.Rule.IsInertClass) Push(new PickleRecord(global, arguments));
        else throw Source.Fault($"the pickle calls '{global}' at {Source.Place(_at)}, which may be named but not called.",
            TorchFaults.Untrusted);
    }

    private void Build()
    {
        var state = Pop();
        switch (Peek())
        {
            case PickleDictionary dictionary: PickleGlobals.SetState(this, dictionary, state); break;
            case PickleRecord record: record.State = state; break;
            case NumpyType type: type.SetState(this, state); break;
            case PickleTensor array when array.Place.Storage == TensorStorage.None: NumpyPickle.SetState(this, array, state); break;
            default: throw Fault($"the pickle sets the state of {Peek()}, which has none");
        }
    }
}
