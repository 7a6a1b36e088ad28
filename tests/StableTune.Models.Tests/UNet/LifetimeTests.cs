namespace StableTune.Models.Tests;

/// <summary>Tests that count all tensors of the process run when no others do.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CountsTensors
{
    internal const string Name = "counts the live tensors";
}

/// <summary>No forward, backward or coding leaves a tensor behind.</summary>
[Collection(CountsTensors.Name)]
public sealed class LifetimeTests
{
    [Theory]
    [InlineData(false, ScalarType.Float32)]
    [InlineData(true, ScalarType.Float32)]
    [InlineData(false, ScalarType.BFloat16)]
    public void Steps_Repeated_LeaveNoTensorsBehind(bool checkpointing, ScalarType dtype)
    {
        using var unet = TinyModels.UNet().to(dtype);
        unet.GradientCheckpointing = checkpointing;
        long? after = null;
        for (var step = 0; step < 3; step++)
        {
            using (NewDisposeScope())
            {
                var (sample, timesteps, context) = (randn(2, 4, 8, 8), tensor(new long[] { 10, 900 }), randn(2, 77, 48));
                unet.call(sample, timesteps, context).pow(2).mean().backward();
                using (no_grad()) unet.call(sample, timesteps, context);
                foreach (var parameter in unet.parameters()) parameter.grad = null;
            }

            if (after is not null) Assert.Equal(after, TensorCount.Live);
            after = TensorCount.Live;
        }
    }

    [Fact]
    public void Coding_Repeated_LeavesNoTensorsBehind()
    {
        using var vae = TinyModels.Vae();
        long? after = null;
        for (var step = 0; step < 3; step++)
        {
            using (NewDisposeScope())
            using (no_grad())
            {
                vae.UseSlicing = step == 1;
                var distribution = vae.Encode(rand(2, 3, 32, 32));
                vae.Decode(distribution.Mean);
            }

            if (after is not null) Assert.Equal(after, TensorCount.Live);
            after = TensorCount.Live;
        }
    }
}
