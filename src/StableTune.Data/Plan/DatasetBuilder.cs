using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// Puts a data set together from folders, other sources and options. The calls do no I/O and may come in any order;
/// <see cref="Build"/> checks everything and gives an immutable <see cref="TrainingDataset"/>.
/// </summary>
public sealed class DatasetBuilder
{
    /// <summary>What was said so far. Immutable: later calls replace it.</summary>
    public DatasetPlan Plan { get; private set; } = new();

    /// <summary>A builder that begins with what a configuration file of sd-scripts says; see <see cref="DatasetConfiguration"/>.</summary>
    /// <param name="path">The file, <c>.toml</c> or <c>.json</c>.</param>
    /// <exception cref="InvalidFileException">Something in it is wrong: with line and column, all faults at once.</exception>
    public static DatasetBuilder FromToml(string path) => new() { Plan = DatasetConfiguration.Read(path) };

    /// <summary>What was said so far as such a file.</summary>
    /// <exception cref="InvalidOptionsException">Something was said that such a file cannot say.</exception>
    public string ToToml() => DatasetConfiguration.ToToml(Plan);

    /// <summary>Adds images from any source.</summary>
    /// <param name="source">Where they come from; a host's own class, for instance.</param>
    /// <param name="options">How they are trained; null takes what the source says.</param>
    public DatasetBuilder Add(IDatasetSource source, SubsetOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        return Set(Plan with { Subsets = Plan.Subsets.Add(new(source, options ?? new())) });
    }

    /// <summary>Adds images of the host, from memory or anywhere else; see <see cref="HostImage"/>. Names must differ.</summary>
    /// <param name="images">The images with their captions; listed once, now.</param>
    /// <param name="options">How they are trained.</param>
    public DatasetBuilder AddImages(IEnumerable<DatasetItem> images, SubsetOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(images);
        return Add(new HostImages([.. images]), options);
    }

    /// <summary>Adds the images directly inside a folder, with caption files beside them; see <see cref="FolderSource"/>.</summary>
    /// <param name="folder">The folder. A name like <c>20_sls frog</c> also gives repeats and class tokens.</param>
    /// <param name="options">How they are trained; what is set here goes before the folder's name.</param>
    public DatasetBuilder AddFolder(string folder, SubsetOptions? options = null) =>
        Add(new FolderSource(folder)
        {
            CaptionExtensions = options?.CaptionExtensions ?? CaptionFiles.Default, CaptionsByFullName = options?.CaptionsByFullName
                ?? false,
        }, options);

    /// <summary>Adds the images of a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="repeats">Times each image occurs in an epoch, whatever the folder's name says.</param>
    /// <param name="classTokens">The caption of images without one; null takes the text of the folder's name.</param>
    public DatasetBuilder AddFolder(string folder, int repeats, string? classTokens = null) =>
        AddFolder(folder, new SubsetOptions { Repeats = repeats, ClassTokens = classTokens });

    /// <summary>Adds all folders named as in <c>20_sls frog</c> inside a folder; see <see cref="DreamBoothRootSource"/>.</summary>
    /// <param name="root">The parent folder.</param>
    /// <param name="options">How they are trained; what is set here holds for all of them.</param>
    public DatasetBuilder AddDreamBoothRoot(string root, SubsetOptions? options = null) =>
        Add(new DreamBoothRootSource(root)
        {
            CaptionExtensions = options?.CaptionExtensions ?? CaptionFiles.Default, CaptionsByFullName = options?.CaptionsByFullName
                ?? false,
        }, options);

    /// <summary>Adds regularisation images: all folders named as in <c>1_frog</c> inside a folder.</summary>
    /// <param name="root">The parent folder, what sd-scripts calls <c>reg_data_dir</c>.</param>
    public DatasetBuilder AddRegularizationRoot(string root) => AddDreamBoothRoot(root, new SubsetOptions { IsRegularization = true });

    /// <summary>Adds the images that a metadata file lists with captions and tags; see <see cref="MetadataSource"/>.</summary>
    /// <param name="file">The metadata file of fine-tuning, <c>.json</c> or <c>.jsonl</c>, or a list with <c>file_name</c> and <c>text</c>
    /// (also <c>.csv</c>).</param>
    /// <param name="imageFolder">Where relative paths and bare names start from; null for the folder of the file.</param>
    /// <param name="options">How they are trained.</param>
    public DatasetBuilder AddMetadata(string file, string? imageFolder = null, SubsetOptions? options = null)
    {
        var captions = (options ?? new()).Captions;
        return Add(new MetadataSource(file, imageFolder) { Separator = captions.Separator, Wildcard = captions.Wildcard }, options);
    }

    /// <summary>
    /// Adds a data set in the layout of sd-trainer, with latents, captions, control pictures, masks, tagger's features and text encoder
    /// outputs as they were prepared; see <see cref="SdTrainerSource"/>.
    /// </summary>
    /// <param name="folder">The folder with <c>buckets.json</c>, whose sizes count: a resolution is not needed.</param>
    /// <param name="options">How the images are trained. A prefix of captions is put before them without a blank, unless they say
    /// otherwise.</param>
    public DatasetBuilder AddSdTrainer(string folder, SubsetOptions? options = null)
    {
        options ??= new();
        var captions = options.Captions with { PrefixSeparator = options.Captions.PrefixSeparator ?? "" };
        return Add(new SdTrainerSource(folder), options with { Captions = captions });
    }

    /// <summary>
    /// Trains another data set in the same run, with its own resolution, batch size and buckets: an epoch holds the batches of both.
    /// </summary>
    /// <param name="another">The other one; what is said to it later does not count here.</param>
    public DatasetBuilder AddDataset(DatasetBuilder another)
    {
        ArgumentNullException.ThrowIfNull(another);
        return Set(Plan with { Others = Plan.Others.Add(another.Plan) });
    }

    /// <summary>Trains square images of this side.</summary>
    /// <param name="side">Pixels, a multiple of 8; 512 for Stable Diffusion 1.</param>
    public DatasetBuilder WithResolution(int side) => WithResolution(side, side);

    /// <summary>Trains images of this size.</summary>
    /// <param name="width">Pixels, a multiple of 8.</param>
    /// <param name="height">Pixels, a multiple of 8.</param>
    public DatasetBuilder WithResolution(int width, int height) =>
        WithOptions(Plan.Options with { Resolution = new PixelSize(width, height) });

    /// <summary>Puts this many images into a batch.</summary>
    public DatasetBuilder WithBatchSize(int batchSize) => WithOptions(Plan.Options with { BatchSize = batchSize });

    /// <summary>Chooses each image's size in another way than one size for all.</summary>
    public DatasetBuilder WithBucketing(IBucketing bucketing) => WithOptions(Plan.Options with { Bucketing = bucketing });

    /// <summary>
    /// Trains each image in about its own shape, as <see cref="AspectBuckets"/> does; the resolution then stands for an area.
    /// </summary>
    /// <param name="buckets">Limits and step; null for the usual ones.</param>
    public DatasetBuilder WithBuckets(AspectBuckets? buckets = null) => WithBucketing(buckets ?? new());

    /// <summary>Multiplies the loss of regularisation images.</summary>
    public DatasetBuilder WithPriorLossWeight(double weight) => WithOptions(Plan.Options with { PriorLossWeight = weight });

    /// <summary>Sets all options of the data set at once.</summary>
    public DatasetBuilder WithOptions(DatasetOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Set(Plan with { Options = options });
    }

    /// <summary>Checks options, folders, captions and image headers, and makes the data set. Reads no pixels.</summary>
    /// <exception cref="InvalidOptionsException">Something cannot work; the message lists every fault.</exception>
    public TrainingDataset Build() => Plan.Build();

    private DatasetBuilder Set(DatasetPlan plan)
    {
        Plan = plan;
        return this;
    }
}
