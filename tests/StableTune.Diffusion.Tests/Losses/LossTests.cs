using StableTune.Losses;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class LossTests
{
    private static readonly NoiseSchedule s_schedule = NoiseSchedule.ScaledLinear();

    public static TheoryData<string, ILoss> Losses
    {
        get
        {
            var data = new TheoryData<string, ILoss> { { "l2", new MseLoss() }, { "l1", new L1Loss() } };
            foreach (var schedule in HuberSchedule.Known)
            {
                data.Add($"huber.{schedule.Name}", new HuberLoss { Schedule = schedule });
                data.Add($"smooth_l1.{schedule.Name}", new SmoothL1Loss { Schedule = schedule });
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void PerSample_AgreesWithReference(string name, ILoss loss)
    {
        using var golden = Golden.Open("diffusion", "losses.safetensors");
        using var scope = NewDisposeScope();
        var result = Compute(golden, new DiffusionLoss { Loss = loss });
        golden.AssertWithin(name, result.PerSample, relative: 1e-6);
        Assert.Equal(golden.Floats(name).Average(), result.Mean.item<float>(), 1e-5f);
    }

    [Theory]
    [InlineData("l2")]
    [InlineData("l1")]
    [InlineData("huber")]
    [InlineData("smooth_l1")]
    public void Gradient_AgreesWithReference(string name)
    {
        ILoss loss = name switch { "l2" => new MseLoss(), "l1" => new L1Loss(), "huber" => new HuberLoss(), _ => new SmoothL1Loss() };
        using var golden = Golden.Open("diffusion", "losses.safetensors");
        using var gradients = Golden.Open("diffusion", "loss_gradients.safetensors");
        using var scope = NewDisposeScope();
        var predicted = golden["pred"].clone().requires_grad_(true);
        Compute(golden, new DiffusionLoss { Loss = loss }, predicted).Mean.backward();
        gradients.AssertWithin(name, predicted.grad!, absolute: 1e-9, relative: 1e-5);
    }

    [Fact]
    public void Mask_MultipliesBeforeTheMeanOverAllElements()
    {
        using var golden = Golden.Open("diffusion", "losses.safetensors");
        using var scope = NewDisposeScope();
        // 64x64 to 8x8 by area: the mean of each block of 8x8.
        var mask = golden["mask.alpha_masks"].reshape(4, 1, 8, 8, 8, 8).mean([3L, 5L]);   // [4, 1, 8, 8]
        var result = Compute(golden, new DiffusionLoss(), mask: mask);
        golden.AssertWithin("mask.loss_alpha", result.PerSample, relative: 2e-6);
    }

    [Fact]
    public void Compute_SampleWeightsAndWeightings_Multiply()
    {
        using var golden = Golden.Open("diffusion", "losses.safetensors");
        using var scope = NewDisposeScope();
        var plain = GoldenComparison.Floats(Compute(golden, new DiffusionLoss()).PerSample);
        var timesteps = golden["timesteps"];
        ILossWeighting[] weightings = [new MinSnrWeighting(), new DebiasedWeighting()];
        var factors = weightings.Select(weighting =>
            GoldenComparison.Floats(weighting.Weights(s_schedule, PredictionType.Epsilon, timesteps))).ToArray();
        float[] weights = [1, 1, 0.7f, 0];

        var result = Compute(golden, new DiffusionLoss { Weightings = weightings },
            weights: tensor(weights, [4L], dtype: ScalarType.Float32));

        var expected = plain.Select((loss, i) => loss * weights[i] * factors[0][i] * factors[1][i]).ToArray();
        GoldenComparison.AssertClose(expected, GoldenComparison.Floats(result.PerSample), "per sample", relative: 1e-6);
        Assert.Equal(expected.Average(), result.Mean.item<float>(), expected.Average() * 1e-5f);
    }

    [Fact]
    public void Compute_BFloat16Prediction_IsTakenInFloat32()
    {
        using var scope = NewDisposeScope();
        var result = new DiffusionLoss().Compute(new LossInputs
        {
            Predicted = full([1, 1, 1, 2], 1.0078125, dtype: ScalarType.BFloat16),   // 1 + 2^-7: its square needs 15 bits
            Target = zeros([1, 1, 1, 2]),
            Timesteps = zeros([1], dtype: ScalarType.Int64),
            Schedule = s_schedule,
            Prediction = PredictionType.Epsilon,
        });
        Assert.Equal(1.0078125f * 1.0078125f, result.Mean.item<float>());
    }

    [Fact]
    public void Validate_ReportsTheProblemsOfAllParts()
    {
        var loss = new DiffusionLoss
        {
            Loss = new HuberLoss { C = 0 },
            Weightings = [new MinSnrWeighting { Gamma = -1 }, new VelocityLikeWeighting { Weight = double.NaN }],
        };
        Assert.Equal(["HuberLoss.C", "MinSnrWeighting.Gamma", "VelocityLikeWeighting.Weight"],
            loss.Validate().Select(problem => problem.Option));
        Assert.Empty(new DiffusionLoss { Weightings = [new MinSnrWeighting()] }.Validate());
    }

    [Fact]
    public void Compute_LeavesNoTensorsBehind()
    {
        using var golden = Golden.Open("diffusion", "losses.safetensors");
        using var outer = NewDisposeScope();
        var predicted = golden["pred"];
        var loss = new DiffusionLoss { Loss = new SmoothL1Loss(), Weightings = [new MinSnrWeighting(), new ScaledVelocityWeighting()] };
        _ = (golden["target"], golden["timesteps"]);                               // loaded once, and kept
        var before = HeldTensors.Before();
        using (NewDisposeScope())
        {
            Compute(golden, loss, predicted);
        }

        Assert.Equal(before, TensorCount.Live);
    }

    private static LossResult Compute(
        Golden golden, DiffusionLoss loss, Tensor? predicted = null, Tensor? weights = null, Tensor? mask = null) =>
        loss.Compute(new LossInputs
        {
            Predicted = predicted ?? golden["pred"],
            Target = golden["target"],
            Timesteps = golden["timesteps"],
            Schedule = s_schedule,
            Prediction = PredictionType.Epsilon,
            SampleWeights = weights,
            Mask = mask,
        });
}
