using StableTune.Data;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Tests.Configuration;

/// <summary>Recipes carry the guides' numbers, and give plans that are right.</summary>
public sealed class RecipeTests
{
    public static TheoryData<string> Names() => [.. Recipes.All.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryRecipe_GivesARunThatIsRight(string name)
    {
        using var folder = new TemporaryFolder();
        var builder = new TrainerBuilder().WithModel(SmallRun.Model(folder)).WithImages(SmallRun.Images(folder))
            .WithRecipe(Recipes.All.Create(name)).WithCachedLatents(null);
        if (builder.Plan.Trainables.Count == 0) builder.WithLoRA(4);
        var whole = builder.Plan.Trainables[0] is ModelTrainableOptions;
        if (builder.Plan.Dataset.Options.PriorStyle == PriorStyle.Paired)
            builder.WithDataOptions(data => data with { PriorStyle = default });
        // The pictures are small: what counts here is that the options fit each other.
        if (builder.Plan.Dataset.Options.Resolution is null) builder.WithResolution(64);
        var trainer = builder.SaveTo(folder.File("out", whole ? "model" : "lora.safetensors")).Build();
        Assert.NotEmpty(trainer.Dataset.Samples);
        Assert.NotEmpty(Recipes.All.Create(name).Description);
    }

    [Fact]
    public void DreamBooth_HasTheGuidesNumbers()
    {
        var plan = new TrainerBuilder().WithRecipe(Recipes.DreamBooth).Plan;
        Assert.Equal((1e-6, TrainingLength.Steps(1600), 1, 1.0), (plan.LearningRate, plan.Length, plan.Dataset.Options.BatchSize,
            plan.Dataset.Options.PriorLossWeight));
        Assert.IsType<AdamW8bitOptions>(plan.Optimizer);
        var larger = new TrainerBuilder().WithRecipe(Recipes.DreamBoothBatch4).Plan;
        Assert.Equal((2e-6, TrainingLength.Steps(400), 4, false), (larger.LearningRate, larger.Length, larger.Dataset.Options.BatchSize,
            larger.GradientCheckpointing));
        var paddle = new TrainerBuilder().WithRecipe(Recipes.DreamBoothPaddlePrior).Plan;
        Assert.Equal((5e-6, TrainingLength.Steps(800), PriorStyle.Paired), (paddle.LearningRate, paddle.Length,
            paddle.Dataset.Options.PriorStyle));
        Assert.Equal(ModelParts.UNet, ((ModelTrainableOptions)Assert.Single(paddle.Trainables)).Parts);
    }

    [Fact]
    public void Buckets_ChangeEverySubset_WheneverItIsAdded()
    {
        var plan = new TrainerBuilder().WithImages("before").WithRecipe(Recipes.BucketsAndAugmentation).WithImages("behind").Plan;
        Assert.Equal(2, plan.Dataset.Subsets.Length);
        Assert.All(plan.Dataset.Subsets, subset => Assert.Equal((true, ColorAugmentation.Weak),
            (subset.Options.Augmentation.Flip, subset.Options.Augmentation.Color)));
        Assert.Equal((new PixelSize(768, 512), new AspectBuckets { MinSide = 384, MaxSide = 1280 }, 20, 42L),
            (plan.Dataset.Options.Resolution!.Value, (AspectBuckets)plan.Dataset.Options.Bucketing!, plan.Dataset.Options.BatchSize,
                plan.Seed));
    }

    [Fact]
    public void WhatIsSaidAfterARecipe_Wins() =>
        Assert.Equal(3e-6, new TrainerBuilder().WithRecipe(Recipes.DreamBooth).WithLearningRate(3e-6).Plan.LearningRate);
}
