using StableTune.Samplers;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class TensorHistoryTests
{
    [Fact]
    public void Add_KeepsTheNewestAndFreesTheOthers()
    {
        var before = HeldTensors.Before();
        using (var history = new TensorHistory())
        {
            for (var i = 0; i < 5; i++)
            {
                using var scope = NewDisposeScope();
                history.Add(full([2], (double)i), keep: 3);
            }
            Assert.Equal(before + 3, TensorCount.Live);
            Assert.Equal([4f, 3f, 2f], Enumerable.Range(0, history.Count).Select(back => GoldenComparison.Floats(history[back])[0]));
            Assert.Throws<ArgumentOutOfRangeException>(() => history[3]);
        }
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Add_TensorStaysTheCallers()
    {
        using var scope = NewDisposeScope();
        var tensor = ones(3);
        using (var history = new TensorHistory()) history.Add(tensor, keep: 1);
        Assert.Equal([1f, 1f, 1f], GoldenComparison.Floats(tensor));
    }

    [Fact]
    public void Add_KeepingNone_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var history = new TensorHistory();
        Assert.Throws<ArgumentOutOfRangeException>(() => history.Add(ones(1), keep: 0));
    }
}
