using System.Runtime.CompilerServices;

namespace StableTune.Torch.Tests.Memory;

/// <summary>Gradients are found without tensor objects, and stay while they are held.</summary>
[Collection(CountingTensors.Name)]
public sealed class GradientPlaceTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void TryFind_AContiguousGradient_GivesItsOwnMemory(ScalarType type)
    {
        var weight = zeros([3, 4], type).requires_grad_();
        weight.grad = ones([3, 4], type);
        Assert.True(GradientPlace.TryFind(weight, out var place));
        Assert.Equal((weight.grad!.DataPointer(), type), (place!.Value.Address, place.Value.Type));
        place.Value.LetGo();
    }

    [Fact]
    public void TryFind_NoGradient_IsFalse()
    {
        Assert.False(GradientPlace.TryFind(zeros(3).requires_grad_(), out var place));
        Assert.Null(place);
    }

    [Fact]
    public void TryFind_AGradientWhoseNumbersDoNotFollowEachOther_GivesNoPlace()
    {
        var weight = zeros([3, 4]).requires_grad_();
        weight.grad = ones([4, 3]).t();
        Assert.True(GradientPlace.TryFind(weight, out var place));
        Assert.Null(place);
    }

    [Fact]
    public unsafe void Place_OutlivesTheParametersGradient_AndThenLetsItGo()
    {
        var weight = zeros(1000).requires_grad_();
        var numbers = GiveGradient(weight);
        Assert.True(GradientPlace.TryFind(weight, out var place));
        weight.grad = null;
        GC.Collect();
        Assert.True(numbers.IsAlive);
        Assert.Equal(5f, ((float*)place!.Value.Address)[999]);
        place.Value.LetGo();
        GC.Collect();
        Assert.False(numbers.IsAlive);
    }

    /// <summary>A gradient that is an array's own memory: the array is there as long as the gradient.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference GiveGradient(Tensor weight)
    {
        var numbers = Enumerable.Repeat(5f, 1000).ToArray();
        using (var gradient = frombuffer(numbers, ScalarType.Float32)) weight.grad = gradient;
        return new WeakReference(numbers);
    }
}
