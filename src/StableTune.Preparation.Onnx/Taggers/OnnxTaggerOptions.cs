using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>A tagger in an ONNX file. What the file says by itself is read from it: the size of its pictures, the order of their
/// dimensions, whether it scales them, and whether it gives probabilities.</summary>
public abstract record OnnxTaggerOptions : OnnxModelOptions
{
    /// <summary>The table or list of tags; null, the default, takes the one that lies beside the model.</summary>
    public string? Tags { get; init; }

    /// <summary>The side of the pictures that the network is shown, where it takes any; null takes the customary one.</summary>
    public int? InputSize { get; init; }

    /// <summary>Whether the network gives logits, of which probabilities are yet to be made; null, the default, reads it from the
    /// network.</summary>
    public bool? Logits { get; init; }

    /// <summary>The side of pictures where neither the network nor an option says it.</summary>
    internal abstract int UsualSize { get; }

    /// <summary>Whether blue comes first.</summary>
    internal abstract bool IsBgr(OnnxModelFiles files);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Tags is not null && !File.Exists(Tags))
            yield return Problem(Tags, "there is no such file", "name the tagger's list of tags, or leave it unset");
        if (InputSize < 1) yield return Problem(InputSize, "pictures have at least 1 pixel", "leave it unset for the customary size");
    }

    /// <summary>Opens the tagger, and downloads it where it is missing.</summary>
    /// <param name="progress">Told of downloads.</param>
    /// <param name="cancellationToken">Ends a download.</param>
    /// <returns>The tagger; the caller frees it.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work, or ONNX Runtime refuses what
    /// <see cref="OnnxModelOptions.Configure"/> sets.</exception>
    /// <exception cref="InvalidFileException">The model or its list of tags is missing, damaged, of another kind, or they do not belong
    /// together.</exception>
    /// <exception cref="Hub.HubException">The hub has no such model, or was not reached.</exception>
    /// <exception cref="NotSupportedException">ONNX Runtime's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public OnnxTagger Load(IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        InvalidOptionsException.ThrowIfAny(Validate());
        var files = OnnxModelFiles.Find(this, progress, cancellationToken);
        var vocabulary = Vocabulary(files);
        return OnnxModel.Open(files, this, model =>
        {
            var network = Network(model, files);
            return new OnnxTagger(network, Preparing(network), vocabulary, Logits, cancellationToken);
        });
    }

    /// <summary>Opens the tagger for what it sees before it names tags: the numbers that its last layer makes tags of.</summary>
    /// <param name="value">The name of the value inside the network; null, the default, finds it.</param>
    /// <param name="progress">Told of downloads.</param>
    /// <param name="cancellationToken">Ends a download.</param>
    /// <returns>The source of features; the caller frees it.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work, or ONNX Runtime refuses what
    /// <see cref="OnnxModelOptions.Configure"/> sets.</exception>
    /// <exception cref="InvalidFileException">The model is missing, damaged, of another kind, or has no such value.</exception>
    /// <exception cref="Hub.HubException">The hub has no such model, or was not reached.</exception>
    /// <exception cref="NotSupportedException">ONNX Runtime's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public OnnxTaggerFeatures LoadFeatures(string? value = null, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        InvalidOptionsException.ThrowIfAny(Validate());
        var files = OnnxModelFiles.Find(this, progress, cancellationToken);
        var name = "";
        return OnnxModel.Open(files, this,
            model =>
            {
                var network = Network(model, files);
                return new OnnxTaggerFeatures(network, Preparing(network), name, cancellationToken);
            },
            graph => name = value ?? graph.Outputs.Select(graph.FeaturesBefore).FirstOrDefault(found => found is not null)
                ?? throw new InvalidFileException(files.Model, "it has no linear layer that makes tags of features.",
                    "Name the value inside the network."));
    }

    /// <summary>The tags of the model.</summary>
    internal abstract TagVocabulary Vocabulary(OnnxModelFiles files);

    /// <summary>A picture made fit for the network.</summary>
    internal abstract PixelImage Fitted(PixelImage image, int width, int height);

    /// <summary>What is done to the values of pictures, where the network does not do it itself.</summary>
    internal abstract PixelScaling Scaling(OnnxModelFiles files, PictureInput input);

    /// <summary>A file beside the model that must be there.</summary>
    internal string Beside(OnnxModelFiles files, string name) => Tags ?? files.Companion(name) ?? throw new InvalidFileException(
        files.Model, $"its list of tags, {name}, is not beside it.", "Put it there, or name it in Tags.");

    private PictureNetwork Network(OnnxModel model, OnnxModelFiles files)
    {
        var input = PictureInput.Of(model);
        var others = model.Inputs.Where(other => other != input.Value).ToList();
        if (others.Count > 0)
            throw model.Unfit($"besides pictures it wants {string.Join("; ", others)}.", "Take a model that is shown pictures alone.");
        if (InputSize is { } side && ((input.Width ?? side) != side || (input.Height ?? side) != side))
            throw model.Unfit($"its pictures are {input.Width}x{input.Height}, but InputSize is {side}.", "Leave InputSize unset.");
        var scaling = model.Graph.Normalises(input.Value.Name) ? PixelScaling.Bytes : Scaling(files, input);
        return new(model, input, scaling, IsBgr(files));
    }

    private Func<PixelImage, PixelImage> Preparing(PictureNetwork network)
    {
        var side = InputSize ?? UsualSize;
        var (width, height) = (network.Input.Width ?? side, network.Input.Height ?? side);
        return image => image.Width == width && image.Height == height && image.Channels == 3 ? image
            : Fitted(image.Over(PixelColor.White), width, height);
    }
}
