using FsCheck;
using FsCheck.Fluent;

namespace StableTune.Formats.Tests.Toml;

/// <summary>Random tables: written and read again they are the same.</summary>
public sealed class TomlPropertyTests
{
    private static readonly string[] Keys = ["a", "b", "c-d", "e_f", "1", "", "a.b", "é", "\"", "'", "\\", "x y", "\n", "true", "😀"];

    [Fact]
    public void WriteThenRead_AnyTable_IsTheSame() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(Exhaustive.Runs(500, 20_000)), Prop.ForAll(Tables(), table =>
    {
        var again = TomlDocument.Parse(TomlWriter.Write(table)).Root;
        return Same(table, again) && TomlWriter.Write(again) == TomlWriter.Write(table);
    }));

    /// <summary>Found by the properties: once in some thousand tables.</summary>
    [Theory]
    [InlineData("\uFFFD")]
    [InlineData("C:\\\uFFFD")]
    [InlineData("two\nlines \uFFFD")]
    public void WriteThenRead_TheSignOfReplacement_IsKept(string text) => Assert.Equal(text,
        TomlDocument.Parse(TomlWriter.Write(new TomlTable { ["\uFFFD"] = text })).Root["\uFFFD"].AsText);

    [Fact]
    public void ToStringThenRead_AnyTable_IsTheSame() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(Exhaustive.Runs(300, 10_000)), Prop.ForAll(Tables(), table =>
        Same(table, TomlDocument.Parse($"t = {table}").Root["t"])));

    private static bool Same(TomlValue left, TomlValue right) => (left, right) switch
    {
        (TomlTable a, TomlTable b) => a.Count == b.Count
            && a.All(entry => b.TryGet(entry.Key, out var other) && Same(entry.Value, other.Value)),
        (TomlArray a, TomlArray b) => a.Count == b.Count && a.Zip(b).All(pair => Same(pair.First, pair.Second)),
        (TomlScalar a, TomlScalar b) => a.Kind == b.Kind && Equals(a.Value, b.Value),
        _ => false,
    };

    private static Arbitrary<TomlTable> Tables() => Arb.From(Gen.Sized(size => Table(Math.Min(size / 12, 4))));

    private static Gen<TomlTable> Table(int depth) =>
        from keys in Gen.Elements(Keys).ListOf()
        from inline in Gen.Elements(true, false, false)
        from values in Value(depth).ArrayOf(Math.Min(keys.Count, 6))
        select Fill(keys, values, inline);

    private static TomlTable Fill(IEnumerable<string> keys, TomlValue[] values, bool inline)
    {
        var table = new TomlTable { Inline = inline };
        foreach (var (key, value) in keys.Zip(values)) table[key] = value;
        return table;
    }

    private static Gen<TomlValue> Value(int depth)
    {
        var scalar = Gen.OneOf(
            Text().Select(text => (TomlValue)text),
            ArbMap.Default.GeneratorFor<long>().Select(number => (TomlValue)number),
            ArbMap.Default.GeneratorFor<double>().Select(number => (TomlValue)number),
            ArbMap.Default.GeneratorFor<bool>().Select(truth => (TomlValue)truth),
            Ticks().Select(ticks => (TomlValue)new DateTime(ticks)),
            Ticks().Select(ticks => (TomlValue)DateOnly.FromDateTime(new DateTime(ticks))),
            Ticks().Select(ticks => (TomlValue)TimeOnly.FromDateTime(new DateTime(ticks))),
            from ticks in Ticks() from minutes in Gen.Choose(-840, 840) select (TomlValue)new DateTimeOffset(
                ticks, TimeSpan.FromMinutes(minutes)));
        return depth == 0 ? scalar : Gen.Frequency((4, scalar), (2, Table(depth - 1).Select(TomlValue (table) => table)),
            (1, Value(depth - 1).ListOf().Select(TomlValue (items) => new TomlArray(items))),
            (1, Table(depth - 1).ListOf().Select(TomlValue (items) => new TomlArray(items))));
    }

    private static Gen<string> Text() =>
        from characters in Gen.OneOf(Gen.Choose(0, 127), Gen.Elements(10, 13, 34, 39, 92), Gen.Choose(0x80, 0xD7FF),
            Gen.Choose(0xE000, 0x10FFFF)).ListOf()
        select string.Concat(characters.Select(char.ConvertFromUtf32));

    private static Gen<long> Ticks() =>
        from high in Gen.Choose(1000, int.MaxValue) from low in Gen.Choose(0, int.MaxValue) select (high * 1_000_000_000L + low) % (
        DateTime.MaxValue.Ticks - 2 * TimeSpan.TicksPerDay) + TimeSpan.TicksPerDay;
}
