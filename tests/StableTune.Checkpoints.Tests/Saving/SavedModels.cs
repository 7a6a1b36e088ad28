using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Saving;

/// <summary>The fixture models by name.</summary>
internal static class SavedModels
{
    /// <summary>A complete model folder.</summary>
    public static string Complete(string name, TemporaryFolder folder) => name switch
    {
        "tiny-sd15" => FixtureModels.TinySd15(folder),
        "tiny-sd21-v" => FixtureModels.TinySd21V(folder),
        "tiny-sd21-base" => FixtureModels.TinySd21Base(folder),
        "tiny-sdxl" => FixtureModels.TinySdxl(folder),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no such fixture"),
    };
}
