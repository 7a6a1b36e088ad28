using StableTune.Adapters;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Optimizers;
using StableTune.Samplers;
using StableTune.Schedules;
using StableTune.Trainables;

namespace StableTune;

/// <summary>
/// What the names in a configuration stand for. A host that has kinds of its own gives catalogues with more names; a type can also be
/// named with its assembly, "Namespace.Type, Assembly".
/// </summary>
public sealed record RunCatalogs
{
    /// <summary>What comes with StableTune.</summary>
    public static RunCatalogs Default { get; } = new();

    /// <summary>Kinds of adapters (<c>network_module</c>).</summary>
    public Catalog<AdapterOptions> Networks { get; init; } = NetworkModules.Default;

    /// <summary>Optimizers (<c>optimizer_type</c>).</summary>
    public Catalog<OptimizerOptions> Optimizers { get; init; } = OptimizerCatalog.Default;

    /// <summary>Learning-rate schedules (<c>lr_scheduler</c>, <c>lr_scheduler_type</c>).</summary>
    public Catalog<LrScheduleOptions> Schedules { get; init; } = ScheduleCatalog.Default;

    /// <summary>Losses (<c>loss_type</c>).</summary>
    public Catalog<ILoss> Losses { get; init; } = LossCatalog.Default;

    /// <summary>Distributions of timesteps (<c>timestep_sampling</c>).</summary>
    public Catalog<ITimestepSource> Timesteps { get; init; } = TimestepCatalog.Default;

    /// <summary>Samplers (<c>sample_sampler</c>).</summary>
    public SamplerCatalog Samplers { get; init; } = SamplerCatalog.Default;

    /// <summary>Sources of images (<c>dataset_class</c>). Default none: a host names its own.</summary>
    public Catalog<IDatasetSource> Sources { get; init; } = new("source of images");

    /// <summary>A registered thing, or a type that is named with its assembly.</summary>
    /// <typeparam name="T">What it must be.</typeparam>
    /// <param name="catalog">The registered names.</param>
    /// <param name="name">A name, or "Namespace.Type, Assembly".</param>
    /// <param name="argument">What a constructor that takes one text is given; null for none.</param>
    /// <exception cref="ArgumentException">There is no such name or type, or the type is something else.</exception>
    internal static T Create<T>(Catalog<T> catalog, string name, string? argument = null) where T : class
    {
        if (!catalog.Names.Any() && !name.Contains(',', StringComparison.Ordinal))
            throw new ArgumentException($"\"{ShortText.Of(name)}\" is no known {catalog.Kind}, and none is registered");
        if (catalog.Contains(name) || !name.Contains(',', StringComparison.Ordinal)) return catalog.Create(name);
        var type = Type.GetType(name, throwOnError: false) ?? throw new ArgumentException(
            $"there is no type \"{ShortText.Of(name)}\": name it with its assembly, \"Namespace.Type, Assembly\"");
        if (!typeof(T).IsAssignableFrom(type) || type.IsAbstract)
            throw new ArgumentException($"{type.FullName} is no {catalog.Kind}: it must be a {typeof(T).FullName} that can be created");
        if (argument is not null && type.GetConstructor([typeof(string)]) is { } taking) return (T)taking.Invoke([argument]);
        return type.GetConstructor(Type.EmptyTypes) is { } empty ? (T)empty.Invoke([])
            : throw new ArgumentException($"{type.FullName} has no public constructor without arguments"
                + (argument is null ? "" : ", nor one that takes a text"));
    }
}
