namespace StableTune.Torch.Tests.Native;

/// <summary>The setting is the process's: no other test may compute meanwhile.</summary>
[CollectionDefinition(nameof(DeterministicAlgorithmsTests), DisableParallelization = true)]
public sealed class DeterministicAlgorithmsCollection;

[Collection(nameof(DeterministicAlgorithmsTests))]
public sealed class DeterministicAlgorithmsTests
{
    [Fact]
    public void AnOperationWithoutDeterministicForm_IsRefused_UntilDisposed()
    {
        using var scope = NewDisposeScope();
        Assert.False(DeterministicAlgorithms.AreOn);
        Put();                                                                        // of two values for one place either may win
        using (new DeterministicAlgorithms())
        {
            Assert.True(DeterministicAlgorithms.AreOn);
            Assert.Contains("aten::put_", Assert.ThrowsAny<Exception>(Put).Message, StringComparison.Ordinal);
        }

        Assert.False(DeterministicAlgorithms.AreOn);
        Put();
    }

    [Fact]
    public void New_Nested_PutsBackWhatWasThere()
    {
        using (new DeterministicAlgorithms())
        {
            var inner = new DeterministicAlgorithms();
            inner.Dispose();
            inner.Dispose();
            Assert.True(DeterministicAlgorithms.AreOn);
        }

        Assert.False(DeterministicAlgorithms.AreOn);
    }

    private static void Put() => new Operator("aten::put_").Call(
        zeros(4), tensor(new[] { 1L, 1L }), ones(2), false).Dispose();
}
