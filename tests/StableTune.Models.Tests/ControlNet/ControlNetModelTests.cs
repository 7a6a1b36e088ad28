using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>What a ControlNet is by itself; its numbers are held against the reference where steps are.</summary>
[Collection(CountsTensors.Name)]
public sealed class ControlNetModelTests : IDisposable
{
    // Small models of each family.
    private static readonly UNetOptions s_sd2 = UNetOptions.Sd21 with
    {
        BlockOutChannels = [16, 32, 32, 32], AttentionHeads = [2, 4, 4, 8], CrossAttentionDim = 32, NormNumGroups = 8,
    };

    private static readonly UNetOptions s_sdxl = UNetOptions.Sdxl with
    {
        BlockOutChannels = [16, 32, 32], AttentionHeads = [2, 4, 8], TransformerLayersPerBlock = [1, 2, 3], CrossAttentionDim = 80,
        NormNumGroups = 8, AdditionTimeEmbedDim = 8, ProjectionClassEmbeddingsInputDim = 96,
    };

    private readonly Generator _random = new(5);

    public void Dispose() => _random.Dispose();

    private static UNetOptions Family(string name) => name switch { "sd2" => s_sd2, "sdxl" => s_sdxl, _ => UNetOptions.Tiny };

    [Theory]
    [InlineData("sd1", false, 16)]
    [InlineData("sd1", true, 16)]
    [InlineData("sd1", false, 8)]
    [InlineData("sd1", true, 8)]
    [InlineData("sd2", false, 8)]
    [InlineData("sdxl", false, 8)]
    public void FromUNet_AtTheStart_ChangesNoBitOfTheOutput(string family, bool checkpointing, int side)
    {
        using var scope = NewDisposeScope();
        using var unet = new UNet2DConditionModel(Family(family)) { GradientCheckpointing = checkpointing };
        unet.SetRequiresGrad(false);
        using var network = ControlNetModel.FromUNet(unet, _random);
        network.GradientCheckpointing = checkpointing;
        var (latents, timesteps, conditions) = Inputs(unet.Options, side);
        var steered = conditions with { Controls = [new ControlNetCondition(network, rand(2, 3, 8 * side, 8 * side))] };
        var output = unet.call(latents, timesteps, steered);
        Assert.True(output.requires_grad);
        Assert.True(unet.call(latents, timesteps, conditions).Equals(output), "the output differs");

        // All that can be reached has a gradient: the zero convolutions, the rest only once they are no longer zero.
        Gradients.Backward(output.pow(2).mean());
        foreach (var (name, parameter) in network.named_parameters())
            if (name.StartsWith("controlnet_down", StringComparison.Ordinal) || name.StartsWith("controlnet_mid", StringComparison.Ordinal))
                Assert.True(parameter.grad!.abs().max().item<float>() > 0, name);
        Assert.All(unet.parameters(), parameter => Assert.Null(parameter.grad));
    }

    [Fact]
    public void Names_AreThoseOfDiffusers_AndCopiesAreTheUNets()
    {
        using var scope = NewDisposeScope();
        using var config = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("training", "controlnet", "config.json")));
        using var extra = Golden.Open("training", "controlnet", "controlnet_extra_weights.safetensors");
        using var unet = TinyModels.UNet();
        using var network = ControlNetModel.FromUNet(unet, _random, ControlNetModelOptions.For(unet.Options) with
        {
            ConditioningEmbeddingChannels = [.. config.RootElement.GetProperty("conditioning_embedding_out_channels").EnumerateArray()
                .Select(number => number.GetInt32())],
        });
        var (own, of) = (ModuleTensors.Named(network), ModuleTensors.Named(unet));
        var encoder = of.Keys.Where(name => !name.StartsWith("up_blocks.", StringComparison.Ordinal)
            && !name.StartsWith("conv_norm_out", StringComparison.Ordinal) && !name.StartsWith("conv_out", StringComparison.Ordinal));
        Assert.Equal(encoder.Concat(extra.Names).Order(StringComparer.Ordinal), own.Keys.Order(StringComparer.Ordinal));
        foreach (var name in extra.Names) Assert.Equal(extra[name].shape, own[name].shape);
        foreach (var (name, tensor) in own.Where(entry => of.ContainsKey(entry.Key)))
        {
            Assert.True(tensor.Equals(of[name]), name);
            // A copy: training it must not reach the UNet.
            Assert.NotEqual(of[name].DataPointer(), tensor.DataPointer());
        }
    }

    [Fact]
    public void FromUNet_IsTheSameForOneSeed_AndDrawsFromItsGeneratorAlone()
    {
        using var scope = NewDisposeScope();
        using var unet = TinyModels.UNet();
        Tensor Drawn(ulong seed)
        {
            using var random = new Generator(seed);
            using var network = ControlNetModel.FromUNet(unet, random);
            return ModuleTensors.Named(network)["controlnet_cond_embedding.blocks.2.weight"].detach().clone();
        }

        var before = get_rng_state();
        Assert.True(Drawn(1).Equals(Drawn(1)));
        Assert.False(Drawn(1).Equals(Drawn(2)));
        Assert.True(before.Equals(get_rng_state()), "the global generator was used");
        Assert.InRange(Drawn(1).abs().max().item<float>(), 0.05f, 1 / MathF.Sqrt(32 * 9));
    }

    [Fact]
    public void Residuals_Scale_Pool_AndOnePictureForAll()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var unet = TinyModels.UNet();
        using var network = Random(unet);
        using var pooled = ControlNetModel.FromUNet(unet, _random, network.Options with { GlobalPoolConditions = true });
        foreach (var (name, tensor) in ModuleTensors.Named(network)) ModuleTensors.Named(pooled)[name].copy_(tensor);
        var (latents, timesteps, conditions) = Inputs(unet.Options);
        var inputs = new ControlNetInputs(latents, timesteps, conditions.Context, null);
        var picture = rand(1, 3, 128, 128);
        var full = network.call(inputs, picture, 1);
        Assert.Equal(12, full.Down.Count);
        Assert.Equal([2L, 64, 2, 2], full.Mid.shape);
        AssertClose(full.Mid, network.call(inputs, picture.repeat(2, 1, 1, 1), 1).Mid, 1e-5);
        var half = network.call(inputs, picture, 0.5);
        var average = pooled.call(inputs, picture, 1);
        for (var i = 0; i < full.Down.Count; i++)
        {
            AssertClose(full.Down[i] * 0.5, half.Down[i], 1e-5);
            AssertClose(full.Down[i].mean([2, 3], keepdim: true), average.Down[i], 1e-5);
        }

        Tensor Steered(IUNetControl control) => unet.call(latents, timesteps, conditions with { Controls = [control] });
        var plain = unet.call(latents, timesteps, conditions);
        var steered = Steered(new ControlNetCondition(network, picture));
        Assert.True((steered - plain).abs().max().item<float>() > 1e-3f, "the ControlNet does not matter");
        Assert.True((steered - Steered(new ControlNetCondition(pooled, picture))).abs().max().item<float>() > 1e-4f);
        Assert.True(plain.Equals(Steered(new ControlNetCondition(network, picture, Scale: 0))));
        // The same residuals, computed before; and two ControlNets add up.
        AssertClose(steered, Steered(full), 1e-5);
        var twice = unet.call(latents, timesteps, conditions with { Controls = [half, new ControlNetCondition(network, picture, 0.5)] });
        AssertClose(steered, twice, 1e-4);
    }

    [Fact]
    public void Gradients_InFloat64_AreThoseOfFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using (no_grad())
            foreach (var parameter in unet.parameters()) parameter.SetData(parameter.to(ScalarType.Float64));
        unet.SetRequiresGrad(false);
        using var network = Random(unet);
        Tensor Draw(params long[] shape) => randn(shape, dtype: ScalarType.Float64, generator: _random);
        var (latents, context, target) = (Draw(1, 4, 8, 8), Draw(1, 7, UNetOptions.Tiny.CrossAttentionDim), Draw(1, 4, 8, 8));
        var conditions = new UNetConditions(context) { Controls = [new ControlNetCondition(network, Draw(1, 3, 64, 64))] };
        Tensor Loss() => (unet.call(latents, tensor(new long[] { 321 }), conditions) - target).pow(2).mean();
        Gradients.Backward(Loss());
        const double step = 1e-6;
        foreach (var (name, parameter) in network.named_parameters().Where((_, i) => i % 23 == 0))
        {
            using var direction = randn(parameter.shape, dtype: ScalarType.Float64, generator: _random);
            double At(double distance)
            {
                using var frozen = no_grad();
                using var inner = NewDisposeScope();
                parameter.add_(direction * distance);
                var value = Loss().item<double>();
                parameter.sub_(direction * distance);
                return value;
            }

            var expected = (At(step) - At(-step)) / (2 * step);
            var actual = (parameter.grad! * direction).sum().item<double>();
            Assert.True(Math.Abs(expected - actual) <= 1e-5 * Math.Max(1e-2, Math.Abs(expected)), $"{name}: {actual} for {expected}");
        }
    }

    [Fact]
    public void Inputs_ThatDoNotFit_AreNamed()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var unet = TinyModels.UNet();
        using var network = Random(unet);
        var (latents, timesteps, conditions) = Inputs(unet.Options);
        string Told(Action call) => Assert.Throws<ArgumentException>(call).Message;
        Tensor Steered(IUNetControl control) => unet.call(latents, timesteps, conditions with { Controls = [control] });
        Assert.Contains("picture is of shape [2, 3, 128, 120]: this ControlNet takes [2, 3, 128, 128]",
            Told(() => Steered(new ControlNetCondition(network, rand(2, 3, 128, 120)))));
        Assert.Contains("Added is set", Told(() => network.call(
            new ControlNetInputs(latents, timesteps, conditions.Context, new AddedConditions(rand(2, 8), rand(2, 6))),
            rand(1, 3, 128, 128), 1)));
        Assert.Contains("Context is of shape [2, 77, 4]", Told(() => network.call(
            new ControlNetInputs(latents, timesteps, rand(2, 77, 4), null), rand(1, 3, 128, 128), 1)));
        Assert.Contains("UNetResiduals.Down has 1 residuals: this model has 12 skip connections",
            Told(() => Steered(new UNetResiduals([zeros(1)], zeros(1)))));
        Assert.Contains("32 wide, the model's is 48 wide",
            Told(() => ControlNetModel.FromUNet(unet, _random, ControlNetModelOptions.For(s_sd2))));
        Assert.Contains("ConditioningEmbeddingChannels", Assert.Throws<InvalidOptionsException>(() => new ControlNetModel(
            new ControlNetModelOptions { ConditioningEmbeddingChannels = [16, 0] })).Message);
    }

    [Fact]
    public void InpaintingModels_GiveTheirNineChannels_OrTheLatentsAlone()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny with { InChannels = 9 });
        var (latents, timesteps, conditions) = Inputs(UNetOptions.Tiny);
        conditions = conditions with { Inpainting = new InpaintingInput(ones(1, 1, 16, 16), randn(1, 4, 16, 16)) };
        foreach (var options in new[] { unet.Options, UNetOptions.Tiny })
        {
            using var network = ControlNetModel.FromUNet(unet, _random, ControlNetModelOptions.For(options));
            var steered = conditions with { Controls = [new ControlNetCondition(network, rand(1, 3, 128, 128))] };
            Assert.True(unet.call(latents, timesteps, conditions).Equals(unet.call(latents, timesteps, steered)));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Steps_Repeated_LeaveNoTensorsBehind(bool checkpointing)
    {
        using var unet = TinyModels.UNet();
        unet.SetRequiresGrad(false);
        unet.GradientCheckpointing = checkpointing;
        using var network = ControlNetModel.FromUNet(unet, _random);
        network.GradientCheckpointing = checkpointing;
        long? after = null;
        for (var step = 0; step < 3; step++)
        {
            using (NewDisposeScope())
            {
                var (latents, timesteps, conditions) = Inputs(unet.Options);
                conditions = conditions with { Controls = [new ControlNetCondition(network, rand(2, 3, 128, 128), 0.5)] };
                Gradients.Backward(unet.call(latents, timesteps, conditions).pow(2).mean());
                using (no_grad()) unet.call(latents, timesteps, conditions);
                foreach (var parameter in network.parameters()) parameter.grad = null;
            }

            if (after is not null) Assert.Equal(after, TensorCount.Live);
            after = TensorCount.Live;
        }
    }

    /// <summary>A ControlNet that has learned something.</summary>
    private ControlNetModel Random(UNet2DConditionModel unet)
    {
        var network = ControlNetModel.FromUNet(unet, _random);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        foreach (var (name, tensor) in ModuleTensors.Named(network))
            if (name.StartsWith("controlnet_", StringComparison.Ordinal))
                tensor.copy_(randn(tensor.shape, dtype: tensor.dtype, generator: _random) * 0.1);
            else tensor.SetData(tensor.to(unet.parameters().First().dtype));
        foreach (var (name, tensor) in ModuleTensors.Named(network))
            if (name.StartsWith("controlnet_", StringComparison.Ordinal)) tensor.SetData(tensor.to(unet.parameters().First().dtype));
        return network;
    }

    private (Tensor Latents, Tensor Timesteps, UNetConditions Conditions) Inputs(UNetOptions options, int side = 16) => (
        randn([2, 4, side, side], generator: _random), tensor(new long[] { 10, 900 }),
        new UNetConditions(randn([2, 77, options.CrossAttentionDim], generator: _random))
        {
            Added = options.TakesAddedConditions ? new AddedConditions(randn([2, 48], generator: _random), rand(2, 6) * 100) : null,
        });

    private static void AssertClose(Tensor expected, Tensor actual, double tolerance) =>
        GoldenComparison.AssertClose("residual", expected, actual, tolerance);
}
