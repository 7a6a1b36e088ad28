using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class AdamWTests
{
    /// <summary>Forms of the reference's own files.</summary>
    [Fact]
    public void ReferenceName_HasOnlyWhatDiffers_AsPythonWritesIt()
    {
        Assert.Equal("torch.optim.adamw.AdamW", new AdamWOptions().ReferenceName);
        Assert.Equal(
            "torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))",
            new AdamWOptions { WeightDecay = 0.1, Beta2 = 0.99 }.ReferenceName);
        Assert.Equal(
            "torch.optim.adamw.AdamW(weight_decay=1.0,eps=1e-06,amsgrad=True)",
            new AdamWOptions { WeightDecay = 1, Epsilon = 1e-6, AmsGrad = true }.ReferenceName);
    }

    [Fact]
    public void State_SavedAndLoaded_ContinuesBitForBit()
    {
        using var scope = NewDisposeScope();
        var (recorded, options) = (OptimizerCase.Of("AdamW", "amsgrad"), new AdamWOptions { AmsGrad = true });
        using var whole = new RecordedRun(recorded, options);
        using var first = new RecordedRun(recorded, options);
        using var second = new RecordedRun(recorded, options);
        whole.Steps(1, 10);
        first.Steps(1, 5);
        second.ContinueFrom(first);
        second.Steps(6, 10);
        second.AssertSame(whole);
    }

    [Fact]
    public void Load_OfOtherParameters_NamesTheKey()
    {
        using var scope = NewDisposeScope();
        using var run = new RecordedRun(OptimizerCase.Of("AdamW", "default"), new AdamWOptions());
        using var other = new AdamWOptions().Create([]);
        var fault = Assert.Throws<InvalidFileException>(() => Setup.Copy(other, run.Optimizer));
        Assert.Contains("te_vec.step", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_OfAParameterThatMissedGradients_IsCountedForItself()
    {
        // As torch does: the first step of a tensor moves each element by the learning rate, however late it comes.
        using var scope = NewDisposeScope();
        using var late = tensor(new[] { 1f, 2f }).requires_grad_();
        using var always = tensor(new[] { 1f, 2f }).requires_grad_();
        using var optimizer = new AdamWOptions { WeightDecay = 0 }
            .Create([new ParameterGroup("all", [new NamedParameter("late", late), new NamedParameter("always", always)], 0.1)]);
        for (var step = 0; step < 5; step++)
        {
            always.grad = tensor(new[] { 0.5f, -0.5f });
            late.grad = step == 4 ? tensor(new[] { 0.5f, -0.5f }) : null;
            optimizer.Step(new StepInfo([0.1], step));
        }

        GoldenComparison.AssertClose([0.9f, 2.1f], GoldenComparison.Floats(late), "late", absolute: 1e-6);
        Assert.Equal((1, 5), (RecordedRun.StepsOf(optimizer, "late"), RecordedRun.StepsOf(optimizer, "always")));
    }

    [Fact]
    public void Validate_NamesEachOptionOutOfRange()
    {
        var problems = new AdamWOptions { Beta1 = 1, Beta2 = double.NaN, Epsilon = 0, WeightDecay = -1 }.Validate().Select(p => p.Option);
        Assert.Equal(["AdamWOptions.Beta1", "AdamWOptions.Beta2", "AdamWOptions.Epsilon", "AdamWOptions.WeightDecay"], problems);
    }
}
