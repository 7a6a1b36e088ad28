using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace StableTune.Formats;

/// <summary>The table of instructions: those that run, and the names of those that are refused.</summary>
internal sealed partial class PickleMachine
{
    private const int Stop = '.';

    /// <summary>The most bytes of an integer.</summary>
    private const int MaximumInteger = 1024;

    private static readonly (string? Name, Action<PickleMachine>? Run)[] Codes = Table();

    private static (string? Name, Action<PickleMachine>? Run)[] Table()
    {
        var codes = new (string?, Action<PickleMachine>?)[256];
        Constants(codes);
        Containers(codes);
        Names(codes);
        Others(codes);
        return codes;
    }

    private static void Constants((string?, Action<PickleMachine>?)[] codes)
    {
        codes['N'] = ("NONE", m => m.Push(PickleNone.Value));
        codes[0x88] = ("NEWTRUE", m => m.Push(PickleBoolean.Of(true)));
        codes[0x89] = ("NEWFALSE", m => m.Push(PickleBoolean.Of(false)));
        codes['J'] = ("BININT", m => m.Push(PickleInteger.Of(BinaryPrimitives.ReadInt32LittleEndian(m.Source.Take(4)))));
        codes['K'] = ("BININT1", m => m.Push(PickleInteger.Of(m.Number1())));
        codes['M'] = ("BININT2", m => m.Push(PickleInteger.Of(m.Number2())));
        codes['I'] = ("INT", m => m.Push(m.LineInteger()));
        codes['L'] = ("LONG", m => m.Push(m.LineInteger()));
        codes[0x8A] = ("LONG1", m => m.Push(m.LongInteger(m.Number1())));
        codes[0x8B] = ("LONG4", m => m.Push(m.LongInteger(m.Number4())));
        codes['G'] = ("BINFLOAT", m => m.Push(new PickleFloat(BinaryPrimitives.ReadDoubleBigEndian(m.Source.Take(8)))));
        codes['X'] = ("BINUNICODE", m => m.Push(new PickleText(m.Source.ReadText(m.Number4()))));
        codes[0x8C] = ("SHORT_BINUNICODE", m => m.Push(new PickleText(m.Source.ReadText(m.Number1()))));
        codes[0x8D] = ("BINUNICODE8", m => m.Push(new PickleText(m.Source.ReadText(m.Number8()))));
        codes['V'] = ("UNICODE", m => m.Push(new PickleText(m.EscapedLine())));
        codes['U'] = ("SHORT_BINSTRING", m => m.Push(OldText(m.Source.ReadBytes(m.Number1()))));
        codes['T'] = ("BINSTRING", m => m.Push(OldText(m.Source.ReadBytes(m.Number4()))));
        codes['C'] = ("SHORT_BINBYTES", m => m.Push(m.Bytes(m.Number1())));
        codes['B'] = ("BINBYTES", m => m.Push(m.Bytes(m.Number4())));
    }

    private static void Containers((string?, Action<PickleMachine>?)[] codes)
    {
        codes['('] = ("MARK", m => m.Mark());
        codes['0'] = ("POP", m => m.PopOne());
        codes['1'] = ("POP_MARK", m => m.Drop(m.PopMark()));
        codes[')'] = ("EMPTY_TUPLE", m => m.Push(new PickleSequence(PickleSequenceKind.Tuple)));
        codes['t'] = ("TUPLE", m => m.Gather(PickleSequenceKind.Tuple, m.PopMark()));
        codes[0x85] = ("TUPLE1", m => m.Gather(PickleSequenceKind.Tuple, 1));
        codes[0x86] = ("TUPLE2", m => m.Gather(PickleSequenceKind.Tuple, 2));
        codes[0x87] = ("TUPLE3", m => m.Gather(PickleSequenceKind.Tuple, 3));
        codes[']'] = ("EMPTY_LIST", m => m.Push(new PickleSequence(PickleSequenceKind.List)));
        codes['l'] = ("LIST", m => m.Gather(PickleSequenceKind.List, m.PopMark()));
        codes['a'] = ("APPEND", m => m.AppendTo(1, PickleSequenceKind.List));
        codes['e'] = ("APPENDS", m => m.AppendTo(m.PopMark(), PickleSequenceKind.List));
        codes['}'] = ("EMPTY_DICT", m => m.Push(new PickleDictionary(ordered: false)));
        codes['d'] = ("DICT", m => m.NewDictionary(m.PopMark()));
        codes['s'] = ("SETITEM", m => m.SetItems(2));
        codes['u'] = ("SETITEMS", m => m.SetItems(m.PopMark()));
        codes[0x8F] = ("EMPTY_SET", m => m.Push(new PickleSequence(PickleSequenceKind.Set)));
        codes[0x90] = ("ADDITEMS", m => m.AppendTo(m.PopMark(), PickleSequenceKind.Set));
        codes[0x91] = ("FROZENSET", m => m.Gather(PickleSequenceKind.FrozenSet, m.PopMark()));
    }

    private static void Names((string?, Action<PickleMachine>?)[] codes)
    {
        codes[0x80] = ("PROTO", m => m.Protocol());
        codes[0x95] = ("FRAME", m => m.Frame());
        codes[Stop] = ("STOP", null);
        codes['p'] = ("PUT", m => m.Memoize(m.LineIndex()));
        codes['q'] = ("BINPUT", m => m.Memoize(m.Number1()));
        codes['r'] = ("LONG_BINPUT", m => m.Memoize(m.Number4()));
        codes[0x94] = ("MEMOIZE", m => m.Memoize((uint)m._memo.Count));
        codes['g'] = ("GET", m => m.Recall(m.LineIndex()));
        codes['h'] = ("BINGET", m => m.Recall(m.Number1()));
        codes['j'] = ("LONG_BINGET", m => m.Recall(m.Number4()));
        codes['c'] = ("GLOBAL", m => m.Global(m.LineText(), m.LineText()));
        codes[0x93] = ("STACK_GLOBAL", m => m.StackGlobal());
        codes['R'] = ("REDUCE", m => m.Call(isNew: false));
        codes[0x81] = ("NEWOBJ", m => m.Call(isNew: true));
        codes['b'] = ("BUILD", m => m.Build());
        codes['Q'] = ("BINPERSID", m => m.Push(m.Persistent(m.Pop())));
        codes['P'] = ("PERSID", m => m.Push(m.Persistent(new PickleText(m.LineText()))));
    }

    /// <summary>Known, but not needed: protocols that only Python 1 wrote, extensions, and objects that are more than weights.</summary>
    private static void Others((string?, Action<PickleMachine>?)[] codes)
    {
        (int Code, string Name)[] refused =
        [
            ('F', "FLOAT"), ('S', "STRING"), ('i', "INST"), ('o', "OBJ"), ('2', "DUP"), (0x82, "EXT1"), (0x83, "EXT2"), (0x84, "EXT4"),
            (0x8E, "BINBYTES8"), (0x92, "NEWOBJ_EX"), (0x96, "BYTEARRAY8"), (0x97, "NEXT_BUFFER"), (0x98, "READONLY_BUFFER"),
        ];
        foreach (var (code, name) in refused) codes[code] = (name, null);
    }

    private byte Number1() => Source.Take(1)[0];

    private ushort Number2() => BinaryPrimitives.ReadUInt16LittleEndian(Source.Take(2));

    private uint Number4() => BinaryPrimitives.ReadUInt32LittleEndian(Source.Take(4));

    private ulong Number8() => BinaryPrimitives.ReadUInt64LittleEndian(Source.Take(8));

    private PickleInteger LongInteger(uint length)
    {
        if (length > MaximumInteger) throw Fault($"an integer has {length} bytes, and at most {MaximumInteger} are read");
        return length <= 8 ? PickleInteger.Of(SmallInteger(Source.Take((int)length)))
            : new PickleInteger(new BigInteger(Source.Take((int)length)));
    }

    private static long SmallInteger(ReadOnlySpan<byte> bytes)
    {
        var value = bytes.Length > 0 && bytes[^1] >= 0x80 ? -1L : 0;
        for (var i = bytes.Length - 1; i >= 0; i--) value = (value << 8) | bytes[i];
        return value;
    }

    /// <summary>Decimal digits, as protocol 0 has; <c>00</c> and <c>01</c> are false and true, and long ones end with L.</summary>
    private PickleValue LineInteger()
    {
        var text = LineText();
        if (text is "00" or "01") return PickleBoolean.Of(text == "01");
        var digits = text.EndsWith('L') ? text[..^1] : text;
        if (digits.Length <= MaximumInteger
            && BigInteger.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
            return new PickleInteger(value);
        throw Fault($"the pickle has {PickleNames.Quote(text)} where an integer should stand");
    }

    private uint LineIndex()
    {
        var text = LineText();
        return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index
            : throw Fault($"the pickle has {PickleNames.Quote(text)} where the number of a remembered value should stand");
    }

    private string LineText() => Encoding.UTF8.GetString(Source.ReadLine());

    /// <summary>Protocol 0 writes texts in Latin-1, with \uXXXX and \UXXXXXXXX for the rest.</summary>
    private string EscapedLine()
    {
        var line = Encoding.Latin1.GetString(Source.ReadLine());
        if (!line.Contains('\\', StringComparison.Ordinal)) return line;
        var text = new StringBuilder();
        for (var i = 0; i < line.Length; i++)
        {
            var digits = line[i] != '\\' || i + 1 == line.Length ? 0 : line[i + 1] == 'u' ? 4 : line[i + 1] == 'U' ? 8 : 0;
            if (digits == 0)
            {
                text.Append(line[i]);
                continue;
            }

            var hex = line.AsSpan(i + 2)[..Math.Min(digits, line.Length - i - 2)];
            if (hex.Length < digits || !uint.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number)
                || !Rune.IsValid(number))
                throw Fault("a text has a broken \\u escape");
            text.Append(new Rune(number).ToString());
            i += 1 + digits;
        }

        return text.ToString();
    }

    /// <summary>Python 2 knew no difference between texts and bytes: what is UTF-8 is taken for a text, as torch does.</summary>
    private static PickleValue OldText(byte[] bytes) =>
        System.Text.Unicode.Utf8.IsValid(bytes) ? new PickleText(Encoding.UTF8.GetString(bytes)) : new PickleBytes(StoredBytes.Of(bytes));

    private PickleBytes Bytes(uint length) =>
        new(largeBytesStay && length > 4096 ? Source.Skip(length) : StoredBytes.Of(Source.ReadBytes(length)));

    private void PopOne()
    {
        if (_marks.Count > 0 && _stack.Count == Floor) PopMark();
        else Pop();
    }

    private void NewDictionary(int count)
    {
        var dictionary = new PickleDictionary(ordered: false);
        _stack.Insert(_stack.Count - count, dictionary);
        SetItems(count);
    }

    private void Protocol()
    {
        var version = Number1();
        if (version > 5) throw Fault($"the pickle has protocol {version}, and 5 is the newest known");
    }

    private void Frame()
    {
        var length = Number8();
        if (length > long.MaxValue || !Source.Has((long)length)) throw Source.Truncated();
    }

    private void StackGlobal()
    {
        var name = Pop();
        var module = Pop();
        if (module is not PickleText moduleText || name is not PickleText nameText)
            throw Fault("the pickle asks for a name that is no text");
        Charge((long)moduleText.Value.Length + nameText.Value.Length);
        Global(moduleText.Value, nameText.Value);
    }

    private PickleValue Persistent(PickleValue id) => persistent(this, id);
}
