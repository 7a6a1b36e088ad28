using StableTune.Checkpoints;
using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints
{
    /// <summary>What was written.</summary>
    /// <param name="Path">The file or folder; with the extension that was added.</param>
    /// <param name="Format">The format.</param>
    /// <param name="Files">All files, full paths.</param>
    /// <param name="Notes">What the user should know, such as parts that were left out, or numbers that became infinite in float16;
    /// usually empty.</param>
    public sealed record SavedModel(string Path, ModelFormat Format, IReadOnlyList<string> Files, IReadOnlyList<string> Notes);

    /// <summary>
    /// Writes whole models: single files under the original names, or folders in diffusers' layout. Tensors are converted and written
    /// piece by piece, so that no
    /// memory is needed beyond the model's; what is written is complete or absent, and what stood there before stays until then.
    /// </summary>
    public static class ModelSaver
    {
        /// <summary>Writes the model.</summary>
        /// <param name="model">The model; not changed. Mapped weights may come from the very file that is replaced.</param>
        /// <param name="path">The file or folder; its parent is created when missing.</param>
        /// <param name="options">Format, precision, metadata; null for the defaults.</param>
        /// <param name="cancellationToken">Looked at every megabyte or so; nothing is left behind.</param>
        /// <exception cref="InvalidOptionsException">The options cannot work, or the path is taken.</exception>
        /// <exception cref="InvalidOperationException">The model lacks a part that the format needs.</exception>
        /// <exception cref="IOException">Something cannot be written.</exception>
        /// <exception cref="OperationCanceledException">The token was set.</exception>
        public static SavedModel Save(StableDiffusionModel model, string path, ModelSaveOptions? options = null,
            CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(model);
            using var contents = ModelContents.Of(model);
            return Write(contents, path, options ?? new ModelSaveOptions(), cancellationToken);
        }

        /// <summary>Copies what <see cref="Save"/> would write now, so that it can be written while the model changes.</summary>
        /// <param name="model">The model.</param>
        /// <param name="path">As for <see cref="Save"/>.</param>
        /// <param name="options">As for <see cref="Save"/>.</param>
        /// <param name="copies">Takes the copies.</param>
        /// <returns>Writes the model, on any thread; null where the copies would take too much memory.</returns>
        internal static Func<SavedModel>? Prepare(
            StableDiffusionModel model, string path, ModelSaveOptions options, PayloadCopies copies)
        {
            var contents = ModelContents.Of(model);
            copies.Keep(contents);
            return contents.Copied(options, copies) is { } copied ? () => Write(copied, path, options, CancellationToken.None) : null;
        }

        /// <summary>Everything about saving that can be known beforehand: options that cannot work, a path that is taken.</summary>
        /// <param name="path">The file or folder.</param>
        /// <param name="options">Format, precision, metadata; null for the defaults.</param>
        /// <param name="sourceFormat">The format that the model is loaded from; null when it is not known.</param>
        public static IReadOnlyList<OptionProblem> Check(string path, ModelSaveOptions? options = null, ModelFormat? sourceFormat = null)
        {
            ArgumentNullException.ThrowIfNull(path);
            options ??= new ModelSaveOptions();
            return [.. options.Validate().Concat(SaveTarget.Choose(path, options, sourceFormat).Problems(options))];
        }

        /// <summary>Writes a model that comes from wherever.</summary>
        internal static SavedModel Write(ModelContents contents, string path, ModelSaveOptions options, CancellationToken cancellationToken)
        {
            ArgumentException.ThrowIfNullOrEmpty(path);
            var problems = Check(path, options, contents.SourceFormat);
            if (problems.Count > 0) throw new InvalidOptionsException(problems);
            var target = SaveTarget.Choose(path, options, contents.SourceFormat);
            var progress = new SaveProgress(options.Progress, cancellationToken);
            if (contents.Parts.Count == 0)
                throw new InvalidOperationException(
                    "The model has no parts that could be saved: none was loaded, or all have been released.");
            if (!target.Format.IsFolder())
            {
                var written = new SingleFileWriter(contents, target.Format, options, progress).Write(target.Path);
                return new SavedModel(target.Path, target.Format, written, [.. contents.Notes, .. progress.Notes()]);
            }

            AtomicFolder.Write(target.Path, new DiffusersFolderWriter(contents, target.Format, options, progress).Write);
            var files = Directory.EnumerateFiles(target.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal);
            return new SavedModel(target.Path, target.Format, [.. files], [.. contents.Notes, .. progress.Notes(), .. Absent(contents)]);
        }

        private static IEnumerable<string> Absent(ModelContents contents)
        {
            var absent = contents.NeededParts.Where(name => contents.Find(name) is null).ToList();
            return absent.Count == 0 ? []
                : [$"The model was loaded without {string.Join(", ", absent)}, so the folder lacks them: pipelines load it only when "
                    + $"they are given these parts from elsewhere."];
        }
    }
}

namespace StableTune
{
    /// <summary>Saving, as a method of the model.</summary>
    public static class ModelSavingExtensions
    {
        /// <inheritdoc cref="ModelSaver.Save"/>
        public static SavedModel SaveAs(
            this StableDiffusionModel model, string path, ModelSaveOptions? options = null,
            CancellationToken cancellationToken = default) =>
            ModelSaver.Save(model, path, options, cancellationToken);
    }
}
