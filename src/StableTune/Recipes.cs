using StableTune.Adapters;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Trainables;

namespace StableTune;

/// <summary>A set of options that goes well together; see <see cref="Recipes"/>.</summary>
/// <param name="Name">What it is called, as <see cref="Recipes.All"/> has it.</param>
/// <param name="Description">What it is for, and what it sets, in a sentence.</param>
/// <param name="Apply">Sets the options.</param>
public sealed record Recipe(string Name, string Description, Action<TrainerBuilder> Apply);

/// <summary>
/// Sets of options for <see cref="TrainerBuilder.WithRecipe"/>: the numbers of the references' guides, but for
/// <see cref="CharacterLoRA"/> and <see cref="StyleLoRA"/>, which are StableTune's own starting points. Model, images and output are still
/// to be said; what is said after a recipe wins over it.
/// </summary>
public static class Recipes
{
    /// <summary>The least memory: batches of one image, latents encoded once, 8-bit AdamW, gradient checkpointing, memory-efficient
    /// attention, bfloat16.</summary>
    public static Recipe MinimumMemory { get; } = new("minimum-memory",
        "The least memory: batch 1, cached latents, 8-bit AdamW, gradient checkpointing, memory-efficient attention, bfloat16.",
        builder => builder.WithAttention(AttentionBackend.Fused).WithBatchSize(1).WithCachedLatents()
            .WithOptimizer(new AdamW8bitOptions()).WithGradientCheckpointing()
            .WithPrecision(PrecisionPolicy.BFloat16));

    /// <summary>A step further: trained weights and gradients in bfloat16 too. Steps are coarser; for whole models on 8 to 12 GB.</summary>
    public static Recipe MinimumMemoryFull { get; } = new("minimum-memory-full",
        "As minimum-memory, with trained weights and gradients in bfloat16 too.",
        builder => builder.WithRecipe(MinimumMemory).WithPrecision(PrecisionPolicy.FullBFloat16));

    /// <summary>DreamBooth on Stable Diffusion 1: UNet and text encoder, 512 x 512, rate 1e-6 for 1600 steps of one image, prior weight
    /// 1.</summary>
    public static Recipe DreamBooth { get; } = new("dreambooth",
        "DreamBooth of Stable Diffusion 1: 512, batch 1, rate 1e-6, 1600 steps, prior weight 1, in little memory.",
        builder => Whole(builder.WithRecipe(MinimumMemory), 512, 1e-6, 1600));

    /// <summary>The same with batches of four: rate 2e-6 for 400 steps. 16 GB.</summary>
    public static Recipe DreamBoothBatch4 { get; } = new("dreambooth-batch-4",
        "DreamBooth of Stable Diffusion 1 with batch 4: rate 2e-6, 400 steps; needs about 16 GB.",
        builder => Whole(builder.WithRecipe(MinimumMemory), 512, 2e-6, 400).WithBatchSize(4).WithGradientCheckpointing(false));

    /// <summary>DreamBooth on Stable Diffusion 2 at 768 x 768; tight in 12 GB.</summary>
    public static Recipe DreamBoothSd2 { get; } = new("dreambooth-sd2",
        "DreamBooth of Stable Diffusion 2 at 768: batch 1, rate 1e-6, 1600 steps, in little memory.",
        builder => Whole(builder.WithRecipe(MinimumMemory), 768, 1e-6, 1600));

    /// <summary>ppdiffusers' DreamBooth: the UNet alone, rate 5e-6 for 400 steps, pictures squashed to 512 x 512.</summary>
    public static Recipe DreamBoothPaddle { get; } = new("dreambooth-paddle",
        "ppdiffusers' DreamBooth: the UNet alone, batch 1, rate 5e-6, 400 steps.",
        builder => builder.WithFullTraining().WithResolution(512).WithBatchSize(1).WithLearningRate(5e-6)
            .For(TrainingLength.Steps(400)).WithDataOptions(data => data with
            {
                Bucketing = new FixedResolution { Mode = ResizeMode.Squash },
            }));

    /// <summary>The same with a picture of the class beside each of the subject (about 200 of them): 800 steps, prior weight 1.</summary>
    public static Recipe DreamBoothPaddlePrior { get; } = new("dreambooth-paddle-prior",
        "As dreambooth-paddle with about 200 class images beside the subject's: 800 steps, prior weight 1.",
        builder => builder.WithRecipe(DreamBoothPaddle).For(TrainingLength.Steps(800)).WithDataOptions(data => data with
        {
            PriorStyle = PriorStyle.Paired, PriorLossWeight = 1,
        }));

    /// <summary>
    /// Tall and wide pictures, changed at random: buckets around 768 x 512 with sides of 384 to 1280, batches of 20, mirrored and with
    /// weak changes of colour, rate 5e-6 for 800 steps, saved each epoch as bfloat16, seed 42. 24 GB.
    /// </summary>
    public static Recipe BucketsAndAugmentation { get; } = new("buckets-and-augmentation",
        "Buckets around 768 x 512, batch 20, mirrored and recoloured, rate 5e-6, 800 steps, seed 42; needs about 24 GB.",
        builder => Whole(builder, 512, 5e-6, 800).WithResolution(768, 512).WithBatchSize(20)
            .WithBuckets(new AspectBuckets { MinSide = 384, MaxSide = 1280 }).WithSubsetOptions(subset => subset with
            {
                Augmentation = subset.Augmentation with { Color = ColorAugmentation.Weak, Flip = true },
            }).WithOptimizer(new AdamW8bitOptions()).WithGradientCheckpointing().WithPrecision(PrecisionPolicy.BFloat16)
            .SaveEvery(epochs: 1).WithSeed(42));

    /// <summary>A LoRA of a character: rank 16, rates 1e-4 (UNet) and 5e-5 (text encoder), tags shuffled behind the first. 8 GB. The
    /// numbers are StableTune's own, of no guide.</summary>
    public static Recipe CharacterLoRA { get; } = new("character-lora",
        "A LoRA of a character: rank 16, alpha 8, rates 1e-4 and 5e-5, 1600 steps, tags shuffled behind the first.",
        builder => builder.WithRecipe(MinimumMemory).WithLoRA(rank: 16, alpha: 8).WithResolution(512).WithBuckets()
            .WithLearningRate(1e-4, unet: 1e-4, textEncoder: 5e-5).For(TrainingLength.Steps(1600)).WithSubsetOptions(subset => subset with
            {
                Captions = subset.Captions with { Shuffle = true, KeepTokens = Math.Max(1, subset.Captions.KeepTokens) },
            }));

    /// <summary>A LoRA of a style: rank 32, the UNet alone, rate 1e-4, mirrored pictures. 8 GB. The numbers are StableTune's own, of no
    /// guide.</summary>
    public static Recipe StyleLoRA { get; } = new("style-lora",
        "A LoRA of a style: rank 32, alpha 16, the UNet alone, rate 1e-4, 2000 steps, mirrored pictures.",
        builder => builder.WithRecipe(MinimumMemory).WithLoRA(rank: 32, alpha: 16).TrainUNetOnly().WithResolution(512).WithBuckets()
            .WithLearningRate(1e-4).For(TrainingLength.Steps(2000)).WithSubsetOptions(subset => subset with
            {
                Augmentation = subset.Augmentation with { Flip = true },
            }));

    /// <summary>All recipes by name. A host adds its own with <see cref="Catalog{T}.With"/>.</summary>
    public static Catalog<Recipe> All { get; } = new[]
    {
        MinimumMemory, MinimumMemoryFull, DreamBooth, DreamBoothBatch4, DreamBoothSd2, DreamBoothPaddle, DreamBoothPaddlePrior,
        BucketsAndAugmentation, CharacterLoRA, StyleLoRA,
    }.Aggregate(new Catalog<Recipe>("recipe", StringComparer.OrdinalIgnoreCase), (all, recipe) => all.With(recipe.Name, () => recipe));

    /// <summary>The whole model, UNet and text encoder, with regularisation images weighing as much as the others.</summary>
    private static TrainerBuilder Whole(TrainerBuilder builder, int side, double rate, int steps) => builder
        .WithFullTraining(ModelParts.UNet | ModelParts.TextEncoder).WithResolution(side).WithLearningRate(rate)
        .For(TrainingLength.Steps(steps)).WithDataOptions(data => data with { PriorLossWeight = 1 });
}
