namespace StableTune.Torch.Tests.Checkpointing;

/// <summary>Gradients that are taken one by one while the backward pass goes on.</summary>
[Collection(CountingTensors.Name)]
public sealed class GradientTapTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Embedding _words = new(7, 6);
    private readonly LayerNorm _norm = new(6);
    private readonly Linear _first = new(6, 8), _second = new(8, 8), _last = new(8, 6, hasBias: false);
    private readonly Conv2d _kernel = new(2, 4, 3, padding: 1);
    private readonly GroupNorm _groups = new(2, 4);

    public void Dispose()
    {
        foreach (nn.Module layer in new nn.Module[] { _words, _norm, _first, _second, _last, _kernel, _groups }) layer.Dispose();
        _scope.Dispose();
    }

    private Parameter[] Parameters => [.. new nn.Module[] { _words, _norm, _first, _second, _last, _kernel, _groups }
        .SelectMany(layer => layer.parameters())];

    public static TheoryData<bool> Ways => [false, true];

    [Theory]
    [MemberData(nameof(Ways))]
    public void Backward_EveryGradient_ComesOnce_AndIsThePlainOne_BitByBit(bool checkpoints)
    {
        var plain = Plain(checkpoints);
        var (taken, most) = (new Dictionary<Tensor, float[]>(ReferenceEqualityComparer.Instance), 0);
        using (var tap = new GradientTap(Parameters, parameter =>
        {
            Assert.False(is_grad_enabled());
            most = Math.Max(most, Parameters.Count(other => other.grad is not null));
            taken.Add(parameter, Numbers(parameter.grad!));
            parameter.grad = null;
        }))
        {
            Gradients.Backward(Loss(checkpoints));
            Assert.Equal(Parameters.Length, taken.Count);
            tap.Finish();
        }

        Assert.Equal(1, most);
        Assert.All(Parameters, parameter => Assert.Null(parameter.grad));
        Assert.All(Parameters.Zip(plain), pair => Assert.Equal(pair.Second, taken[pair.First]));
    }

    /// <summary>A parameter may be changed as soon as its gradient is there: nothing reads it any more.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void Backward_ParametersThatChangeMeanwhile_LeaveTheOtherGradientsAsTheyAre(bool checkpoints)
    {
        var plain = Plain(checkpoints);
        var taken = new Dictionary<Tensor, float[]>(ReferenceEqualityComparer.Instance);
        using var tap = new GradientTap(Parameters, parameter =>
        {
            taken.Add(parameter, Numbers(parameter.grad!));
            parameter.fill_(1e6);
        });
        Gradients.Backward(Loss(checkpoints));
        Assert.All(Parameters.Zip(plain), pair => Assert.Equal(pair.Second, taken[pair.First]));
    }

    [Fact]
    public void Finish_CompletesWhatHadNoPartInTheLoss()
    {
        var completed = new List<Tensor>();
        using var tap = new GradientTap(_first.parameters(), completed.Add);
        var x = randn(2, 6);
        var unused = _first.call(x);
        Gradients.Backward(_first.call(x).sum());
        Assert.Empty(completed);
        tap.Finish();
        Assert.Equal(2, completed.Count);
        Assert.All(_first.parameters(), parameter => Assert.NotNull(parameter.grad));
        GC.KeepAlive(unused);
    }

    [Fact]
    public void Backward_WhatTheCallbackThrows_ComesOut_AndNothingMoreIsTaken()
    {
        var calls = 0;
        using var tap = new GradientTap(Parameters, _ =>
        {
            calls++;
            throw new TimeZoneNotFoundException();
        });
        Assert.Throws<TimeZoneNotFoundException>(() => Gradients.Backward(Loss(checkpoints: true)));
        Assert.Equal(1, calls);
    }

    [Fact]
    public void Create_ForATappedParameter_IsRefused_UntilTheOtherIsDisposed()
    {
        using (new GradientTap(_first.parameters(), _ => { }))
            Assert.Throws<ArgumentException>(() => new GradientTap([_second.weight, _first.weight], _ => { }));
        using var again = new GradientTap([_second.weight, _first.weight], _ => { });
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Backward_LeavesNoTensorBehind(bool checkpoints)
    {
        using var tap = new GradientTap(Parameters, parameter => parameter.grad = null);
        Step();
        var before = TensorCount.Live;
        for (var i = 0; i < 20; i++) Step();
        Assert.Equal(before, TensorCount.Live);

        void Step()
        {
            using var scope = NewDisposeScope();
            Gradients.Backward(Loss(checkpoints));
            tap.Finish();
        }
    }

    [Fact]
    public void Forward_WithoutGradients_IsThePlainOne()
    {
        var plain = Loss(checkpoints: false).item<float>();
        using var tap = new GradientTap(Parameters, _ => { });
        using var frozen = no_grad();
        Assert.Equal(plain, Loss(checkpoints: true).item<float>());
    }

    private float[][] Plain(bool checkpoints)
    {
        Gradients.Backward(Loss(checkpoints));
        float[][] gradients = [.. Parameters.Select(parameter => Numbers(parameter.grad!))];
        foreach (var parameter in Parameters) parameter.grad = null;
        return gradients;
    }

    /// <summary>Uses every layer, one of them three times: in one checkpoint, in another, and in one that lies within.</summary>
    private Tensor Loss(bool checkpoints)
    {
        Tensor Segment(Func<Tensor[], Tensor> body, Tensor input) => checkpoints ? ActivationCheckpoint.Run(body, input) : body([input]);
        var ids = arange(6).reshape(2, 3);
        var x = Segment(inputs => _norm.call(_words.call(inputs[0])), ids);
        x = Segment(inputs => _second.call(_first.call(inputs[0])).tanh(), x);
        x = Segment(inputs => Segment(within => _second.call(within[0]).tanh(), inputs[0]) * 2, x);
        x = Segment(inputs => _last.call(_second.call(inputs[0])), x);
        var picture = x.reshape(1, 2, 3, 6);
        return Segment(inputs => _groups.call(_kernel.call(inputs[0])), picture).pow(2).mul(arange(18).reshape(3, 6)).sum();
    }

    private static float[] Numbers(Tensor tensor) => tensor.contiguous().data<float>().ToArray();
}
