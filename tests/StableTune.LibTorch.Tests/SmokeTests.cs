namespace StableTune.LibTorch.Tests;

public sealed class SmokeTests
{
    [Fact]
    public void Add_TwoTensors_GivesTheSum()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new[] { 1f, 2f });
        Assert.Equal([3f, 5f], (a + tensor(new[] { 2f, 3f })).data<float>().ToArray());
    }
}
