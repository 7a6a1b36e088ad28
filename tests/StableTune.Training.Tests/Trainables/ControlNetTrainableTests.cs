using System.Text.Json;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Torch;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>Training a ControlNet against the reference: tests/fixtures/training/controlnet.</summary>
public sealed class ControlNetTrainableTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StableDiffusionModel _model;

    public ControlNetTrainableTests()
    {
        _model = ModelLoader.Load(FixtureModels.TinySd15(_folder), new ModelLoadOptions { WeightType = ScalarType.Float32 });
        _model.UNet.SetRequiresGrad(false);
        _model.TextEncoder.SetRequiresGrad(false);
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(false, "folder")]
    [InlineData(true, "file.safetensors")]
    public void Float32_ResidualsLossesGradientsAndWeights_FollowTheReference(bool checkpointing, string start)
    {
        using var scope = NewDisposeScope();
        using var steps = new RecordedSteps("controlnet", _model);
        _model.UNet.GradientCheckpointing = checkpointing;
        var plan = new TrainingPlan { LearningRate = steps.Rate, GradientCheckpointing = checkpointing };
        var options = new ControlNetOptions { InitialWeights = Start(_folder.File(start)) };
        Assert.Empty(options.Validate());
        using var random = new TrainingRandom(new NamedSeeds(0));
        using var trainable = (ControlNetTrainable)options.Create(plan);
        trainable.Attach(Setup.Of(_model, random, plan));
        var own = ModuleTensors.Named(trainable.Network);
        var initial = own.ToDictionary(entry => entry.Key, entry => entry.Value.detach().clone());
        var inner = new InnerValues(steps.Tensors, trainable.Network, _model.UNet);
        steps.Run(trainable, conditions: [trainable, inner], network: inner, beforeUpdate: step =>
        {
            if (step > 0) return;
            foreach (var name in Names("step0.grad."))
                steps.Tensors.AssertClose(name, own[name["step0.grad.".Length..]].grad!, 1e-4, relativeToMax: true);
        });

        Assert.Equal(3, inner.Predictions);
        foreach (var name in Names("final.")) steps.Tensors.AssertClose(name, own[name["final.".Length..]], 1e-5);
        foreach (var name in Names("delta."))
            steps.Tensors.AssertClose(name, own[name["delta.".Length..]].detach() - initial[name["delta.".Length..]], 1e-6);

        string[] Names(string start)
        {
            var names = steps.Tensors.Names.Where(name => name.StartsWith(start, StringComparison.Ordinal)).ToArray();
            Assert.NotEmpty(names);
            return names;
        }
    }

    /// <summary>The reference's start: copies of the UNet's weights, and its other weights, written to a file.</summary>
    private string Start(string path)
    {
        using var scope = NewDisposeScope();
        using var config = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("training", "controlnet", "config.json")));
        using var random = new Generator(1);
        using var network = ControlNetModel.FromUNet(_model.UNet, random, ControlNetModelOptions.For(_model.UNet.Options) with
        {
            ConditioningEmbeddingChannels = [.. config.RootElement.GetProperty("conditioning_embedding_out_channels").EnumerateArray()
                .Select(number => number.GetInt32())],
        });
        using var extra = WeightFile.Open(Fixtures.Path("training", "controlnet", "controlnet_extra_weights.safetensors"));
        Assert.Empty(ModuleWeights.LoadInto(network, extra).Unexpected);
        ControlNetSaver.Save(network, path);
        return path;
    }

    /// <summary>Looks at what the first step computes on its way.</summary>
    private sealed class InnerValues(Golden golden, ControlNetModel network, UNet2DConditionModel unet) : IConditionStage, IDenoisingNetwork
    {
        public int Predictions { get; private set; }

        public bool TakesAddedConditions => false;

        public bool TakesMask => false;

        public UNetConditions Add(StepPass pass)
        {
            if (Predictions > 0) return pass.Conditions;
            using var frozen = no_grad();
            var found = Assert.Single(pass.Conditions.Controls).Residuals(pass.NoisyLatents, pass.Timesteps, pass.Conditions)!;
            for (var i = 0; i < found.Down.Count; i++) golden.AssertClose($"step0.down_residual{i:D2}", found.Down[i], 1e-5);
            Assert.False(golden.Contains($"step0.down_residual{found.Down.Count:D2}"));
            golden.AssertClose("step0.mid_residual", found.Mid, 1e-5);
            golden.AssertClose("step0.mid_residual_scale0.5", network.call(
                new ControlNetInputs(pass.NoisyLatents, pass.Timesteps, pass.Conditions.Context, null), pass.Batch.Conditioning!, 0.5).Mid,
                1e-5);
            golden.AssertClose("step0.context", pass.Conditions.Context, 1e-5);
            return pass.Conditions;
        }

        public Tensor Predict(Tensor noisyLatents, Tensor timesteps, UNetConditions conditions)
        {
            var predicted = unet.Predict(noisyLatents, timesteps, conditions);
            if (Predictions++ == 0) golden.AssertClose("step0.unet_output", predicted, 1e-5);
            return predicted;
        }
    }
}
