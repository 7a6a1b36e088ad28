using System.Runtime.InteropServices;

namespace StableTune.Torch.Tests.Memory;

/// <summary>Large weights leave the file that they lie in, and nothing else is touched.</summary>
[Collection(CountingTensors.Name)]
public sealed unsafe class LeaveMappedFilesTests
{
    [Fact]
    public void LargeMappedTensors_AreCopied_AndTheirMemoryIsLetGo()
    {
        using var scope = NewDisposeScope();
        using var large = new Linear(1024, 1024, hasBias: false);
        using var small = new Linear(16, 16, hasBias: false);
        using var own = new Linear(1024, 1024, hasBias: false);
        using var layers = nn.Sequential(("large", large), ("small", small), ("own", own));
        var released = new List<long>();
        foreach (var layer in new[] { large, small })
        {
            var count = layer.weight.numel();
            var memory = (nint)NativeMemory.AlignedAlloc((nuint)(4 * count), 64);
            new Span<float>((void*)memory, (int)count).Fill(count);
            using var mapped = MappedMemory.ToTensor(memory, layer.weight.shape, ScalarType.Float32, () =>
            {
                released.Add(count);
                NativeMemory.AlignedFree((void*)memory);
            });
            layer.weight.SetData(mapped);
        }

        var (place, ofSmall) = (own.weight.DataPointer(), small.weight.DataPointer());
        var before = TensorCount.Live;
        Assert.Equal(4L << 20, layers.LeaveMappedFiles());
        Assert.Equal([1L << 20], released);
        Assert.Equal(before, TensorCount.Live);
        Assert.True((large.weight == 1 << 20).all().item<bool>());
        Assert.True(large.weight.requires_grad);
        Assert.Equal((place, ofSmall), (own.weight.DataPointer(), small.weight.DataPointer()));
        Assert.Equal(0, layers.LeaveMappedFiles());
    }
}
