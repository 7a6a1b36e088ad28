using System.Globalization;
using StableTune.Training;

namespace StableTune;

/// <summary>How the results of a run are called at each moment: a path beside the final one.</summary>
public abstract record OutputNaming
{
    /// <summary>
    /// As sd-scripts: <c>name-000002</c> for an epoch, <c>name-step00000100</c> for a step, <c>name</c> at the end; results called
    /// <c>last</c> are <c>epoch-000002</c> and <c>at-step00000100</c>.
    /// </summary>
    public static OutputNaming SdScripts { get; } = new SdScriptsNaming();

    /// <summary>As ppdiffusers and diffusers: in a folder <c>checkpoint-100</c> for a step, directly in the folder of results at the
    /// end.</summary>
    public static OutputNaming Checkpoints { get; } = new CheckpointNaming();

    /// <summary>As sd-trainer's <c>over_write</c>: each save replaces the one before.</summary>
    public static OutputNaming OneFile { get; } = new OneFileNaming();

    /// <summary>Whether the saves of two epochs have two names, and say their epochs, so that older ones can be told. Default
    /// true.</summary>
    public virtual bool NumbersEpochs => true;

    /// <summary>Whether the saves of two steps have two names. Default true.</summary>
    public virtual bool NumbersSteps => true;

    /// <summary>The path for a moment.</summary>
    /// <param name="finalPath">The path of the last result, a file or folder.</param>
    /// <param name="moment">When it is saved.</param>
    public abstract string For(string finalPath, SaveMoment moment);

    private protected static string Number(string format, int number) => number.ToString(format, CultureInfo.InvariantCulture);

    private protected static string Beside(string finalPath, string name) =>
        Path.Combine(Path.GetDirectoryName(finalPath) ?? "", name + OutputNames.EndingOf(finalPath));

    /// <summary>sd-scripts' names for folders, of which no dot begins an ending.</summary>
    internal static OutputNaming States { get; } = new SdScriptsNaming { AreFolders = true };

    private sealed record SdScriptsNaming : OutputNaming
    {
        private const string Unnamed = "last";

        public bool AreFolders { get; init; }

        public override string For(string finalPath, SaveMoment moment)
        {
            var stem = AreFolders ? Path.GetFileName(finalPath) : OutputNames.StemOf(finalPath);
            var (isUnnamed, variant) = (stem == Unnamed, moment.Variant is { } called ? "-" + called : "");
            var (epoch, step) = (Number("D6", moment.Epoch), Number("D8", moment.Step));
            var name = moment.Reason switch
            {
                SaveReason.End => stem + variant,
                SaveReason.Best => $"{stem}{variant}-best",
                SaveReason.Epoch => isUnnamed ? $"epoch{variant}-{epoch}" : $"{stem}{variant}-{epoch}",
                _ => isUnnamed ? $"at{variant}-step{step}" : $"{stem}{variant}-step{step}",
            };
            return AreFolders ? Path.Combine(Path.GetDirectoryName(finalPath) ?? "", name) : Beside(finalPath, name);
        }
    }

    private sealed record CheckpointNaming : OutputNaming
    {
        public override bool NumbersEpochs => false;                         // they say the step

        public override string For(string finalPath, SaveMoment moment)
        {
            var usual = OutputNames.OfVariant(finalPath, moment.Variant);
            if (moment.Reason == SaveReason.End) return usual;
            var folder = moment.Reason == SaveReason.Best ? "checkpoint-best" : "checkpoint-" + Number("D", moment.Step);
            // A folder of results holds the checkpoints itself; beside a file they lie in its folder.
            return OutputNames.EndingOf(finalPath).Length == 0 ? Path.Combine(usual, folder)
                : Path.Combine(Path.GetDirectoryName(usual) ?? "", folder, Path.GetFileName(usual));
        }
    }

    private sealed record OneFileNaming : OutputNaming
    {
        public override bool NumbersEpochs => false;

        public override bool NumbersSteps => false;

        public override string For(string finalPath, SaveMoment moment) => OutputNames.OfVariant(moment.Reason == SaveReason.Best
            ? Beside(finalPath, OutputNames.StemOf(finalPath) + "-best") : finalPath, moment.Variant);
    }
}
