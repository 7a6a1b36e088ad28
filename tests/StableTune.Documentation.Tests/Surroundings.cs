#pragma warning disable CS0649 // Nothing runs: the blocks are only compiled.
using Microsoft.Extensions.Logging;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Preparation;

namespace StableTune.Documentation.Tests;

/// <summary>What the documentation's fragments take for granted: each compiles as if it stood in a method of a class derived from this
/// one.</summary>
public abstract class Surroundings
{
    protected ILogger logger = null!;
    protected CancellationToken cancellationToken;
    protected long seed;
    protected Generator generator = null!;

    protected TrainerBuilder builder = null!;
    protected TrainingQueue queue = null!;
    protected TrainingDataset dataset = null!;
    protected EpochPlan plan = null!;
    protected ILatentEncoder vaeEncoder = null!;
    protected ITagger tagger = null!;
    protected IFaceDetector detector = null!;
    protected ITextEncoder textEncoder = null!;

    protected StableDiffusionModel model = null!;
    protected UNet2DConditionModel unet = null!;
    protected AutoencoderKL vae = null!;
    protected UNetOptions options = null!;
    protected AddedConditions added = null!;
    protected Tensor latents = null!, noise = null!, noisyLatents = null!, timesteps = null!, encoderHiddenStates = null!, pixels = null!;

    protected PixelImage first = null!, second = null!;
    protected IReadOnlyList<(double X, double Y)> losses = null!;

    protected static void Step(Batch batch) => batch.Dispose();
}
