namespace StableTune.LibTorch.Tests;

[Collection(CountingTensors.Name)]
public sealed class ModuleLifetimeTests
{
    private sealed class Network : nn.Module<Tensor, Tensor>
    {
        private readonly ModuleList<Linear> layers = nn.ModuleList(nn.Linear(2, 2), nn.Linear(2, 1));
        private readonly Tensor offset = zeros(1);

        internal Network() : base(nameof(Network)) => RegisterComponents();

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            return (layers[1].call(layers[0].call(input)) + offset).MoveToOuterDisposeScope();
        }
    }

    [Fact]
    public void Dispose_FreesEverything()
    {
        var before = engine.live_tensors;
        using (var network = new Network())
        {
            Assert.Equal(before + 5, engine.live_tensors);
            using var scope = NewDisposeScope();
            for (var i = 0; i < 10; i++)
            {
                using var step = NewDisposeScope();
                network.call(ones(1, 2)).sum().backward();
                network.zero_grad();
            }
            Assert.Equal(before + 5, engine.live_tensors);
        }
        Assert.Equal(before, engine.live_tensors);
    }

    [Fact]
    public void Functions_LeaveNoTensorsBehind()
    {
        using var scope = NewDisposeScope();
        var x = randn([1, 4, 4, 4], float64).requires_grad_();
        var before = engine.live_tensors;
        for (var i = 0; i < 3; i++)
        {
            using var step = NewDisposeScope();
            var made = new[]
            {
                nn.functional.normalize(x), engine.quick_gelu(x), nn.functional.SoftmaxAttention(x, x, x, null, 0.5, true),
                nn.functional.interpolate(x, [2, 2]), nn.functional.pad(x, [1, 1]), nn.functional.dropout(x),
            };
            Assert.Equal(before + made.Length, engine.live_tensors);
        }
        Assert.Equal(before, engine.live_tensors);
    }

    [Fact]
    public void Sequential_KeepsOnlyItsResult()
    {
        using var scope = NewDisposeScope();
        using var chain = nn.Sequential(nn.SiLU(), nn.Identity(), nn.SiLU());
        var input = ones(1);
        var before = engine.live_tensors;
        chain.call(input);
        Assert.Equal(before + 1, engine.live_tensors);
    }

    [Fact]
    public void ClipGradNorm_LeavesNothingBehind()
    {
        using var scope = NewDisposeScope();
        using var parameter = nn.Parameter(ones(3));
        parameter.grad = ones(3);
        var before = engine.live_tensors;
        nn.utils.clip_grad_norm_([parameter], 1);
        nn.utils.clip_grad_value_([parameter], 1);
        Assert.Equal(before, engine.live_tensors);
    }
}
