using System.Runtime.InteropServices;

namespace StableTune.Torch.Tests;

public sealed class TorchExceptionTests
{
    [Fact]
    public void Message_NamesOperationArgumentsAndReason()
    {
        using var scope = NewDisposeScope();
        var gone = ones(1);
        gone.Dispose();
        var error = new TorchException("aten::x", "no\nException raised from f at g", ones(2, 3), null, ones([], ScalarType.Int64), gone);
        Assert.Equal("aten::x failed for (Float32 [2, 3], none, Int64 [], a disposed tensor): no", error.Message);
        Assert.Equal("aten::x", error.Operation);
        var inner = new ExternalException("why");
        Assert.Same(inner, new TorchException("y", inner).InnerException);
        Assert.Equal("y failed for (): why", new TorchException("y", inner).Message);
    }
}
