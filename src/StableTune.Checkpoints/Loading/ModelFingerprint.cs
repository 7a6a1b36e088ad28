using System.Security.Cryptography;
using System.Text;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>What tells the encoders of one model from those of another, for caches of what they make. Read without loading the
/// model.</summary>
/// <remarks>
/// Hashes are over names, types and sizes of the tensors and over their first, middle and last bytes: training changes every tensor in
/// all places, and a model of gigabytes is looked at in milliseconds. Of the VAE only the encoder counts: latents do not depend on its
/// decoder.
/// </remarks>
public sealed record ModelFingerprint
{
    private const int PieceBytes = 4096;

    private ModelFingerprint() { }

    /// <summary>The VAE's architecture.</summary>
    public required VaeOptions Vae { get; init; }

    /// <summary>Of the VAE's encoder: SHA-256 as hexadecimal digits.</summary>
    public required string VaeHash { get; init; }

    /// <summary>Of the text encoders: SHA-256 as hexadecimal digits.</summary>
    public required string TextHash { get; init; }

    /// <summary>Channels of the first text encoder's output; SDXL's second one follows it in the states that are given to the
    /// UNet.</summary>
    public required int TextWidth { get; init; }

    /// <summary>Which Stable Diffusion it is.</summary>
    public required ModelVersion Version { get; init; }

    /// <summary>What its UNet is made for.</summary>
    public required ModelKind Kind { get; init; }

    /// <summary>Reads configurations, headers and a little of every tensor.</summary>
    /// <param name="path">As for <see cref="ModelLoader.Load"/>.</param>
    /// <param name="options">As for <see cref="ModelLoader.Load"/>.</param>
    /// <param name="cancellationToken">Ends downloads.</param>
    /// <exception cref="InvalidFileException">The model cannot be read; see <see cref="ModelLoader.Check"/>.</exception>
    public static ModelFingerprint Read(string path, ModelLoadOptions? options = null, CancellationToken cancellationToken = default)
    {
        options = (options ?? new ModelLoadOptions()) with { Parts = ModelParts.Vae | ModelParts.TextEncoder };
        using var files = ModelFiles.Open(path, options, cancellationToken);
        return files.Fingerprint(cancellationToken);
    }

    /// <summary>The fingerprint of a model whose files are open and without faults.</summary>
    internal static ModelFingerprint Of(ModelDescription description)
    {
        ModelPart Part(string name) => description.Parts.First(part => part.Name == name);
        return new ModelFingerprint
        {
            Vae = (VaeOptions)Part(ModelPart.Vae).Architecture,
            VaeHash = Hash([Part(ModelPart.Vae)], name =>
                name.StartsWith("encoder.", StringComparison.Ordinal) || name.StartsWith("quant_conv.", StringComparison.Ordinal)),
            TextHash = Hash(description.Parts.Where(part => part.Flag == ModelParts.TextEncoder), _ => true),
            TextWidth = ((TextArchitecture)Part(ModelPart.TextEncoder).Architecture).Width,
            Version = description.Details!.Version,
            Kind = description.Details.Kind,
        };
    }

    /// <summary>
    /// The fingerprint of a model that is loaded, from the weights that it has now: a host may have changed them. Parts that are not there
    /// have a hash of nothing.
    /// </summary>
    /// <param name="model">The model; stays the caller's.</param>
    public static ModelFingerprint Of(StableDiffusionModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var (hasVae, hasText) = (model.Parts.HasFlag(ModelParts.Vae), model.Parts.HasFlag(ModelParts.TextEncoder));
        return new ModelFingerprint
        {
            Vae = hasVae ? model.Vae.Options : new VaeOptions(),
            VaeHash = LoadedHash(hasVae ? [model.Vae] : [], name =>
                name.StartsWith("encoder.", StringComparison.Ordinal) || name.StartsWith("quant_conv.", StringComparison.Ordinal)),
            TextHash = LoadedHash(model.TextEncoders, _ => true),
            TextWidth = hasText ? model.TextEncoder.Width : 0,
            Version = model.Details?.Version
                ?? (model.HasTextEncoder2 ? ModelVersion.Sdxl : hasText
                && model.TextEncoder.Width == 1024 ? ModelVersion.Sd2 : ModelVersion.Sd1),
            Kind = model.Details?.Kind ?? (!model.Parts.HasFlag(ModelParts.UNet) ? ModelKind.TextToImage
                : model.UNet.TakesMask ? ModelKind.Inpainting : model.UNet.TakesDepth ? ModelKind.Depth : ModelKind.TextToImage),
        }.ChangedBy(model.Words.Select(Identity));
    }

    /// <summary>The fingerprint of the model with changes of its text encoders that are not in its files.</summary>
    /// <param name="changes">What tells each change from others; none leaves the fingerprint as it is.</param>
    public ModelFingerprint ChangedBy(IEnumerable<string> changes)
    {
        var all = string.Join('\n', changes);
        return all.Length == 0 ? this
            : this with { TextHash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{TextHash}\n{all}"))) };
    }

    /// <summary>What tells a word that was added to a model from others.</summary>
    private static string Identity(AddedWord word)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var rows in word.Rows) Append(hash, word.Word, rows);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string LoadedHash(IEnumerable<nn.Module> parts, Func<string, bool> counts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts)
            foreach (var (name, parameter) in part.named_parameters().Where(parameter => counts(parameter.name))
                .OrderBy(parameter => parameter.name, StringComparer.Ordinal))
                Append(hash, name, parameter);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, string name, Tensor tensor)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var numbers = tensor.detach().flatten();
        hash.AppendData(Encoding.UTF8.GetBytes($"{name} {tensor.dtype} {string.Join(',', tensor.shape)}\n"));
        var (count, piece) = (numbers.numel(), Math.Min(PieceBytes / sizeof(float), numbers.numel()));
        foreach (var offset in new[] { 0, (count - piece) / 2, count - piece }.Distinct())
            hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(
                numbers.narrow(0L, offset, piece).to(ScalarType.Float32).cpu().data<float>().ToArray()));
    }

    private static string Hash(IEnumerable<ModelPart> parts, Func<string, bool> counts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts)
            foreach (var (name, info) in part.Weights.Tensors.Select(info => (Name: part.Rename(info.Name), info))
                .Where(tensor => tensor.Name is not null && counts(tensor.Name)).OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
                Append(hash, part.Name + "." + name, part.Weights, info);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, string name, WeightFile file, TensorInfo info)
    {
        hash.AppendData(Encoding.UTF8.GetBytes($"{name} {info.DType.Name()} {string.Join(',', info.Shape)}\n"));
        Span<byte> buffer = stackalloc byte[PieceBytes];
        foreach (var offset in new[] { 0, Math.Max(0, (info.ByteCount - PieceBytes) / 2),
            Math.Max(0, info.ByteCount - PieceBytes) }.Distinct())
        {
            var piece = buffer[..(int)Math.Min(PieceBytes, info.ByteCount - offset)];
            file.Source.Read(info, piece, offset);
            hash.AppendData(piece);
        }
    }
}
