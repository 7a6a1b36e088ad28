using System.Text.Json;
using StableTune.Adapters;
using StableTune.Adapters.Tests;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>Learning rates by block and LoRA+ as sd-scripts has them (fixture networks/networks.json).</summary>
public sealed class AdapterRatesTests
{
    private static readonly JsonElement s_networks =
        JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "networks.json"))).RootElement;

    private static string? Text(JsonElement arguments, string name) =>
        arguments.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static double Threshold(JsonElement arguments) =>
        Text(arguments, "block_lr_zero_threshold") is { } text ? double.Parse(text, System.Globalization.CultureInfo.InvariantCulture) : 0;

    private static BlockRates? Rates(JsonElement arguments) => BlockRates.Parse(Text(arguments, "down_lr_weight"),
        Text(arguments, "mid_lr_weight"), Text(arguments, "up_lr_weight"), Threshold(arguments));

    [Fact]
    public void Factors_OfEveryRecordedCase_AreTheReferences()
    {
        var (compared, refused, ours) = (0, 0, 0);
        foreach (var entry in s_networks.GetProperty("block_lr_weight").EnumerateArray())
        {
            var arguments = entry.GetProperty("network_args");
            var isSdxl = entry.GetProperty("is_sdxl").GetBoolean();
            if (!entry.TryGetProperty("value", out var value))
            {
                // The reference fails on each of these; a curve that does not exist is refused here too, with its name.
                if (Text(arguments, "down_lr_weight") == "unknown")
                {
                    Assert.Contains("\"unknown\"", Assert.Throws<FormatException>(() => Rates(arguments)).Message);
                    refused++;
                }
                else
                {
                    Assert.Equal(isSdxl ? 23 : 25, Rates(arguments)!.Factors(isSdxl).Count);
                    ours++;
                }
            }
            else if (value.ValueKind == JsonValueKind.Null) Assert.Null(Rates(arguments));
            else
            {
                Assert.Equal(value.EnumerateArray().Select(factor => factor.GetDouble()), Rates(arguments)!.Factors(isSdxl),
                    (a, b) => Math.Abs(a - b) < 1e-12);
                compared++;
            }
        }

        Assert.Equal((26, 2, 4), (compared, refused, ours));
    }

    public static TheoryData<string> Groups() => [.. s_networks.GetProperty("optimizer_groups").EnumerateArray()
        .Select(entry => entry.GetProperty("case").GetString()!).Where(name => name != "none")];

    /// <summary>The order of the weights in a group is that of the toy's modules, which is no model's.</summary>
    [Theory]
    [MemberData(nameof(Groups))]
    public void Groups_AreTheReferences(string name)
    {
        var entry = s_networks.GetProperty("optimizer_groups").EnumerateArray().Single(e => e.GetProperty("case").GetString() == name);
        var arguments = entry.GetProperty("network_args");
        double? Rate(string key) => entry.GetProperty(key) is { ValueKind: JsonValueKind.Number } rate ? rate.GetDouble() : null;
        double? Ratio(string key) => Text(arguments, key) is { } ratio
            ? double.Parse(ratio, System.Globalization.CultureInfo.InvariantCulture) : null;
        var options = new AdapterTrainableOptions
        {
            Adapter = new LoRAOptions(), BlockRates = Rates(arguments), UpRatio = Ratio("loraplus_lr_ratio"),
            UNetUpRatio = Ratio("loraplus_unet_lr_ratio"), TextEncoderUpRatio = Ratio("loraplus_text_encoder_lr_ratio"),
        };
        var plan = new TrainingPlan
        {
            LearningRate = Rate("learning_rate")!.Value, UNetLearningRate = Rate("unet_lr"),
            TextEncoderLearningRate = Rate("text_encoder_lr"),
        };
        using var unet = ModelTree.Toy("toy_unet_modules");
        using var text = ModelTree.Toy("toy_text_encoder_modules");
        using var network = AdapterNetwork.Attach(
            new AdapterHosts(unet, text), options.EffectiveAdapter(plan, isSdxl: false), new Generator(0));
        var groups = AdapterGroups.Of(options, plan, network, isSdxl: false);
        Assert.Equal(
            entry.GetProperty("value").EnumerateArray().Select(group => (
                group.GetProperty("description").GetString(), Math.Round(group.GetProperty("lr").GetDouble(), 15),
                string.Join(' ', group.GetProperty("parameters").EnumerateArray().Select(name => name.GetString()).Order()))),
            groups.Select(group => (
                (string?)group.Name, Math.Round(group.LearningRate, 15), string.Join(' ', group.Parameters.Select(p => p.Name).Order()))));
    }

    [Fact]
    public void LayerRates_WinOverBlocksAndParts()
    {
        using var unet = ModelTree.Toy("toy_unet_modules");
        var options = new AdapterTrainableOptions
        {
            Adapter = new LoRAOptions(), BlockRates = BlockRates.Parse("zeros+0.5", null, null), UpRatio = 4,
            LayerRates = [new LayerRate(@"attn2\.to_k$", 1e-3), new LayerRate("attn2", 1e-5)],
        };
        using var network = AdapterNetwork.Attach(new AdapterHosts(unet), options.Adapter, new Generator(0));
        var rates = AdapterGroups.Of(options, new TrainingPlan { LearningRate = 1e-4 }, network, isSdxl: false)
            .SelectMany(group => group.Parameters.Select(parameter => (parameter.Name, group.LearningRate)))
            .ToDictionary(entry => entry.Name, entry => entry.LearningRate);
        const string block = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_";
        Assert.Equal(1e-3, rates[block + "attn2_to_k.lora_down.weight"]);
        Assert.Equal(4e-3, rates[block + "attn2_to_k.lora_up.weight"]);
        Assert.Equal(1e-5, rates[block + "attn2_to_v.lora_down.weight"]);
        Assert.Equal(5e-5, rates[block + "attn1_to_q.lora_down.weight"]);
        Assert.Equal(1e-4, rates["lora_unet_mid_block_attentions_0_proj_in.lora_down.weight"]);
    }

    [Fact]
    public void Validate_NamesWhatCannotWork()
    {
        var options = new AdapterTrainableOptions
        {
            Adapter = new LoRAOptions(), BlockRates = new BlockRates { Down = BlockCurve.Of(-1), ZeroThreshold = double.NaN }, UpRatio = 0,
            LayerRates = [new LayerRate("(", 1), new LayerRate("a", 0)], MaxNorm = -1, RanksFromWeights = true,
        };
        Assert.Equal(
            ["BlockRates.Down", "BlockRates.ZeroThreshold", "AdapterTrainableOptions.LayerRates", "AdapterTrainableOptions.LayerRates",
            "AdapterTrainableOptions.UpRatio", "AdapterTrainableOptions.MaxNorm", "AdapterTrainableOptions.RanksFromWeights"],
            options.Validate().Select(problem => problem.Option));
        Assert.Throws<FormatException>(() => BlockCurve.Parse("1,x"));
        Assert.Throws<FormatException>(() => BlockCurve.Parse("sine+x"));
    }
}
