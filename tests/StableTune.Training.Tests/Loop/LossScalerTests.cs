using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>The scale of the loss in float16: when it changes, and what it does to gradients.</summary>
public sealed class LossScalerTests
{
    [Fact]
    public void Scale_HalvesOnOverflow_AndDoublesAfterEnoughGoodSteps()
    {
        using var scope = NewDisposeScope();
        using var scaler = Scaler(growAfter: 3);
        var told = new List<float>();
        foreach (var good in new[] { true, false, true, true, true, true, true, false, true, true, true })
        {
            scaler.Update(tensor(good));
            told.Add(scaler.Scale.item<float>());
        }

        Assert.Equal([65536, 32768, 32768, 32768, 65536, 65536, 65536, 32768, 32768, 32768, 65536], told);
    }

    [Fact]
    public void TheDefaults_AreThoseOfTorch()
    {
        var options = new LossScalingOptions();
        Assert.Equal((65536, 2000, 1), (options.Start, options.GrowAfter, options.Least));
        Assert.Empty(options.Validate());
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    public void Unscale_Divides_InPlace_AndInTheirOwnType(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var scaler = Scaler();
        var parameters = new[] { zeros(3), zeros(2), zeros(1) }.Select(zero => zero.to(type).requires_grad_()).ToArray();
        parameters[0].grad = tensor(new[] { 32768f, -16384f, 1f }).to(type);
        parameters[1].grad = tensor(new[] { float.PositiveInfinity, float.NaN }).to(type);
        var memory = parameters[0].grad!.DataPointer();
        scaler.Unscale(parameters);
        Assert.Equal((type, memory), (parameters[0].grad!.dtype, parameters[0].grad!.DataPointer()));
        Assert.Equal([0.5f, -0.25f, 1 / 65536f], parameters[0].grad!.to(ScalarType.Float32).data<float>().ToArray());
        Assert.Equal([float.PositiveInfinity, float.NaN], parameters[1].grad!.to(ScalarType.Float32).data<float>().ToArray());
        Assert.Null(parameters[2].grad);
    }

    /// <summary>The inverse of the scale is smaller than any number of float16, the quotient is not.</summary>
    [Fact]
    public void Unscale_OfFloat16ByALargeScale_RoundsOnce()
    {
        using var scope = NewDisposeScope();
        using var scaler = new LossScaler(new LossScalingOptions { Start = Math.Pow(2, 26) }, CPU);
        var parameter = zeros(1, ScalarType.Float16).requires_grad_();
        parameter.grad = tensor(new[] { 32768f }).to(ScalarType.Float16);
        scaler.Unscale([parameter]);
        Assert.Equal(MathF.Pow(2, -11), parameter.grad!.to(ScalarType.Float32).item<float>());
    }

    [Fact]
    public void State_ComesBack()
    {
        using var scope = NewDisposeScope();
        using var scaler = Scaler(growAfter: 3);
        foreach (var good in new[] { false, true, true }) scaler.Update(tensor(good));
        using var other = Scaler(growAfter: 3);
        Setup.Copy(scaler, other);
        other.Update(tensor(true));
        Assert.Equal(65536, other.Scale.item<float>());
    }

    [Fact]
    public void Update_LeavesNothingBehind()
    {
        using var scope = NewDisposeScope();
        using var scaler = Scaler();
        var parameter = zeros(3).requires_grad_();
        parameter.grad = ones(3);
        var good = tensor(true);
        Step();
        var before = HeldTensors.Before();
        for (var i = 0; i < 50; i++) Step();
        Assert.Equal(before, TensorCount.Live);

        void Step()
        {
            scaler.Unscale([parameter]);
            scaler.Update(good);
        }
    }

    [Theory]
    [InlineData("Start", 0.0, 2000, 1.0)]
    [InlineData("Start", double.NaN, 2000, 1.0)]
    [InlineData("GrowAfter", 65536.0, 0, 1.0)]
    [InlineData("Least", 1024.0, 2000, 2048.0)]
    public void Validate_NamesWhatCannotBe(string option, double start, int growAfter, double least) =>
        Assert.Contains(new LossScalingOptions { Start = start, GrowAfter = growAfter, Least = least }.Validate(),
            problem => problem.Option == $"LossScalingOptions.{option}");

    private static LossScaler Scaler(int growAfter = 2000) => new(new LossScalingOptions { GrowAfter = growAfter }, CPU);
}
