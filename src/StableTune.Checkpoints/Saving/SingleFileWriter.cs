using System.Globalization;
using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Writes a model as one file under the original names, which web interfaces load.</summary>
internal sealed class SingleFileWriter(ModelContents contents, ModelFormat format, ModelSaveOptions options, SaveProgress progress)
{
    /// <summary>Marks models that predict v, where neither text encoder nor yaml tell it.</summary>
    private const string PredictsV = "v_pred", ZeroTerminal = "ztsnr";

    /// <summary>What makes a file a whole model.</summary>
    /// <exception cref="InvalidOperationException">A part is missing, or has no form in a single file.</exception>
    public static void CheckParts(ModelContents contents)
    {
        var missing = contents.NeededParts.Where(name => contents.Find(name) is null).ToList();
        if (missing.Count > 0)
            throw new InvalidOperationException(
                $"A single file holds the whole model, but {string.Join(", ", missing)} was not loaded, or has been released: load the "
                    + $"model with ModelParts.All, or save a folder in diffusers' layout.");
        if (contents.Parts.FirstOrDefault(part => part.Options is not (UNetOptions or VaeOptions or ClipTextOptions)) is { } strange)
            throw new InvalidOperationException(
                $"The part {strange.Folder} is no CLIP text encoder, which single files have no form for: save a folder in diffusers' "
                    + $"layout.");
    }

    /// <summary>Writes the file, and the yaml beside it where one is needed.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The files written.</returns>
    public IReadOnlyList<string> Write(string path)
    {
        CheckParts(contents);
        var tensors = progress.Over(Tensors());
        var beside = Path.ChangeExtension(path, ".yaml");
        var yaml = Yaml(beside);
        if (format == ModelFormat.Ckpt) TorchWriter.Write(path, tensors, TorchLayout.Checkpoint, Entries());
        else if (options.WriteMetadata) SafetensorsWriter.WriteHashed(path, tensors, Metadata(path, tensors));
        else SafetensorsWriter.Write(path, tensors, Plain());
        contents.Notes.AddRange(Unsaid(yaml));
        if (yaml is not null)
        {
            AtomicFile.WriteText(beside, yaml);
            return [path, beside];
        }

        if (IsPublishedSdxl && File.Exists(beside))
            contents.Notes.Add(
                $"{Path.GetFileName(beside)} lies beside the file and was left as it is: remove it if it tells of another model, as "
                    + $"programs would read it with this one.");
        return [path];
    }

    /// <summary>The layout of a part in a single file of the model's kind.</summary>
    public static KeyMap LayoutOf(ModelContents contents, PartContents part) => part switch
    {
        { Options: UNetOptions unet } => KeyMap.UNet(unet),
        { Options: VaeOptions vae } => KeyMap.Vae(vae),
        { Folder: ModelPart.TextEncoder2, Options: ClipTextOptions second } => KeyMap.OpenClipText(second, KeyMap.SdxlText2Prefix),
        { Options: ClipTextOptions text } when contents.IsSdxl => KeyMap.ClipText(text, KeyMap.SdxlTextPrefix),
        { Options: ClipTextOptions text } when contents.IsSd2 => KeyMap.OpenClipText(text, KeyMap.Sd2TextPrefix),
        { Options: ClipTextOptions text } => KeyMap.ClipText(text, KeyMap.Sd1TextPrefix),
        _ => throw new ArgumentException($"{part.Folder} has no form in a single file.", nameof(part)),
    };

    /// <summary>UNet, text encoders, VAE, and what the source carried beyond.</summary>
    private List<TensorPayload> Tensors()
    {
        var layouts = contents.Parts.OrderBy(part => part.Part switch { ModelParts.UNet => 0, ModelParts.TextEncoder => 1, _ => 2 })
            .Select(part => (Part: part, Layout: LayoutOf(contents, part))).ToList();
        var carried = Carried(layouts).ToList();
        var names = carried.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        var tensors = new List<TensorPayload>();
        foreach (var (part, layout) in layouts)
            tensors.AddRange(layout.ToCheckpoint(part.Tensors(options.PrecisionOf(part.Part)), names.Contains));
        var own = tensors.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        tensors.AddRange(carried.Where(tensor => !own.Contains(tensor.Name)));
        if (NeedsMark) tensors.AddRange(Marks().Where(mark => !names.Contains(mark.Name)));
        return tensors;
    }

    /// <summary>The others of the source; those that lie among a part's get its type, and what the model contradicts is left out.</summary>
    private IEnumerable<TensorPayload> Carried(List<(PartContents Part, KeyMap Layout)> layouts) => contents.Carried.Tensors
        .Where(info => info.Name is not (PredictsV or ZeroTerminal) || NeedsMark)
        .Select(info => layouts.Find(entry => info.Name.StartsWith(entry.Layout.Prefix, StringComparison.Ordinal)) is { Part: { } part }
            ? contents.Carried.Payload(info, options.PrecisionOf(part.Part)) : contents.Carried.Payload(info, null));

    private bool NeedsMark => contents.PredictsV && !contents.IsSd2;

    private IEnumerable<TensorPayload> Marks()
    {
        yield return new TensorPayload(PredictsV, TensorDType.F32, [0], _ => { });
        if (contents.Scheduler.RescaleBetasZeroSnr) yield return new TensorPayload(ZeroTerminal, TensorDType.F32, [0], _ => { });
    }

    private List<KeyValuePair<string, PickleValue>> Entries() =>
    [
        new("epoch", contents.Carried.Epochs + options.Epochs),
        new("global_step", contents.Carried.Steps + options.Steps),
    ];

    private Dictionary<string, string> Plain()
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal) { ["format"] = "pt" };
        foreach (var (key, value) in options.Metadata) texts[key] = value;
        return texts;
    }

    private Dictionary<string, string> Metadata(string path, IReadOnlyList<TensorPayload> tensors)
    {
        var texts = Plain();
        foreach (var (key, value) in Specification(path, tensors).Entries(contents.BaseModelVersion)) texts.TryAdd(key, value);
        // What a converted file says of itself stays, but for what the options say and what is computed.
        foreach (var (key, value) in contents.Metadata)
            if (!key.StartsWith("sshs_", StringComparison.Ordinal) && !options.Metadata.ContainsKey(key) && !ToldByOptions(key))
                texts[key] = value;
        return texts;
    }

    private bool ToldByOptions(string key) =>
        key.StartsWith(ModelSpecification.KeyPrefix, StringComparison.Ordinal) && key[ModelSpecification.KeyPrefix.Length..] switch
    {
        "title" => options.Title, "author" => options.Author, "description" => options.Description, "license" => options.License, "tags" =>
            options.Tags,
        "usage_hint" => options.UsageHint, "trigger_phrase" => options.TriggerPhrase, "merged_from" => options.MergedFrom, "thumbnail" =>
            options.Thumbnail,
        "resolution" => options.Resolution?.ToString(),
        // Of these the writer knows better.
        "sai_model_spec" or "architecture" or "implementation" or "prediction_type" or "hash_sha256" or "unet_dtype" or "vae_dtype" => key,
        _ => null,
    } is not null;

    private ModelSpecification Specification(string path, IReadOnlyList<TensorPayload> tensors) => new()
    {
        Title = options.Title ?? Path.GetFileNameWithoutExtension(path),
        Date = options.Clock.GetLocalNow(),
        ImplementationVersion = $"StableTune/{typeof(SingleFileWriter).Assembly.GetName().Version?.ToString(3) ?? "0"}",
        PredictsV = contents.PredictsV,
        Resolution = options.Resolution,
        Author = options.Author,
        Description = options.Description,
        License = options.License,
        Tags = options.Tags,
        UsageHint = options.UsageHint,
        TriggerPhrase = options.TriggerPhrase,
        MergedFrom = options.MergedFrom,
        Thumbnail = options.Thumbnail is { } thumbnail
            && !thumbnail.StartsWith(Thumbnails.UrlStart, StringComparison.Ordinal) ? Thumbnails.Read(thumbnail) : options.Thumbnail,
        UNetType = TypeName(tensors, KeyMap.UNetPrefix),
        VaeType = TypeName(tensors, KeyMap.VaePrefix),
    };

    private static string? TypeName(IEnumerable<TensorPayload> tensors, string prefix) => PayloadSizes.TypeName(
        tensors.Where(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal)));

    /// <summary>The text of the yaml; null where none is written. One that lies there already is replaced: it told of another
    /// file.</summary>
    private string? Yaml(string beside)
    {
        var needed = options.WriteYaml ?? (contents.IsSd2 || (IsUncommon && !contents.IsSdxl) || (File.Exists(beside) && !IsPublishedSdxl));
        return !needed ? null : SidecarYamlWriter.Text(
            contents.PredictsV ? ModelPrediction.V : ModelPrediction.Epsilon, UNet, Vae, contents.Scheduler, contents.IsSd2
                || contents.IsSdxl ? ModelVersion.Sd2 : ModelVersion.Sd1);
    }

    private UNetOptions UNet => (UNetOptions)contents.Find(ModelPart.UNet)!.Options!;

    private VaeOptions Vae => (VaeOptions)contents.Find(ModelPart.Vae)!.Options!;

    /// <summary>Programs know SDXL by its names, and take a yaml in this form for that of another model.</summary>
    private bool IsPublishedSdxl => contents.IsSdxl && !IsUncommon;

    /// <summary>Whether a reader would take the architecture for another: shapes tell neither heads nor groups.</summary>
    private bool IsUncommon => UNet.NormNumGroups != UNetOptions.Sd15.NormNumGroups
        || Vae.NormNumGroups != VaeOptions.Sd15.NormNumGroups || !HasTheHeads(contents.IsSd2 || contents.IsSdxl ? null : 8);

    /// <summary>What neither the file nor its yaml can say, so that the file would be read as another model.</summary>
    private IEnumerable<string> Unsaid(string? yaml)
    {
        var width = UNet.BlockOutChannels[0] / UNet.AttentionHeads[0];
        if (yaml is null ? !IsUncommon : HasTheHeads(UNet.AttentionHeads[0]) || HasTheHeads(null, width)) yield break;
        yield return "A single file cannot say which attention heads and norm groups this model has, which are not the usual ones: keep "
            + "the model as a folder too, or give its "
            + "configurations as ConfigurationPath when the file is loaded.";
    }

    /// <summary>Whether all levels have so many heads, or heads of so many channels.</summary>
    private bool HasTheHeads(int? heads, int channels = 64) =>
        UNet.AttentionHeads.Zip(UNet.BlockOutChannels).All(level => level.First == (heads ?? level.Second / channels));
}
