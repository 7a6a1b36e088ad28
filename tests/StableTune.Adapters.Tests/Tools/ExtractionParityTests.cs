namespace StableTune.Adapters.Tests.Tools;

/// <summary>What the extraction does with each difference of two weights, against sd-scripts.</summary>
public sealed class ExtractionParityTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public static TheoryData<string> Cases => ToolFixture.Cases("extract_lora");

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void Factors_OfADifference_AreTheReferences(string name)
    {
        var entry = ToolFixture.Case("extract_lora", name);
        var quantile = entry.GetProperty("clamp_quantile").GetDouble();
        using var golden = Golden.Open("networks", "file_tools.safetensors");
        var expected = ToolFixture.Deltas(golden, $"extract/{name}/");
        Assert.NotEmpty(expected);
        var actual = expected.Keys.ToDictionary(layer => layer, layer =>
        {
            var weight = Weight(golden, layer);
            var difference = golden["extract_models/tuned/" + weight] - golden["extract_models/original/" + weight];
            var shape = new LoRAShape(difference.shape);
            var rank = (shape.HasKernel ? entry.GetProperty("conv_dim") : entry.GetProperty("dim")).GetInt32();
            var factors = LowRank.Of(difference.flatten(1)).Factors(Math.Min(rank, Math.Min(shape.Sizes[0], shape.Sizes[1])));
            // What is clamped depends on the signs that a decomposition happens to return.
            var (up, down) = ToolFixture.WithSigns(factors, golden[$"extract/{name}/{layer}.lora_up.weight"]);
            (up, down) = LowRank.Clamp(up, down, quantile);
            return up.mm(down).reshape(difference.shape);
        });
        ToolFixture.AssertSame(expected, actual, absolute: 2e-5, relative: 1e-4);
    }

    /// <summary>The model's weight of an adapter's name, which has underscores for all dots.</summary>
    private static string Weight(Golden golden, string layer)
    {
        const string prefix = "extract_models/tuned/";
        return golden.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Select(name => name[prefix.Length..])
            .Single(name => "lora_" + name[..^".weight".Length].Replace('.', '_') == layer);
    }
}
