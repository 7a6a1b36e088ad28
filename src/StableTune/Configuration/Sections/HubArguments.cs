using StableTune.Hub;

namespace StableTune.Configuration;

/// <summary>Uploads to the hub, and the token for it.</summary>
internal static class HubArguments
{
    private const string Repository = "huggingface_repo_id";

    private static readonly string[] s_ofUploads =
    [
        "huggingface_repo_type", "huggingface_path_in_repo", "huggingface_repo_visibility", "async_upload",
    ];

    public static OptionSection Section { get; } = new("Hub",
    [
        new(Repository, OptionKind.Text, "The repository that every save is uploaded to: owner/name, or a name of one's own")
        {
            Aliases = ["hub_model_id"],
        },
        new("push_to_hub", OptionKind.Flag, "Upload what is written at the end only (diffusers, ppdiffusers)"),
        new("huggingface_repo_type", OptionKind.Choice("model", "dataset", "space"), "The kind of the repository") { Default = "model" },
        new("huggingface_path_in_repo", OptionKind.Text, "The folder in the repository"),
        new("huggingface_token", OptionKind.Text, "The token; better in the environment: HF_TOKEN. Never written to a file or a log")
        {
            Aliases = ["hub_token"],
        },
        new("huggingface_repo_visibility", OptionKind.Text, "public, or private whatever else is said; for one that is created")
        {
            Default = "private",
        },
        new("save_state_to_huggingface", OptionKind.Flag, "Upload states too"),
        new("async_upload", OptionKind.Flag, "Upload in the background"),
    ], Assemble)
    {
        Write = Write,
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        // An empty one has no say: the environment's is taken then.
        var hub = values.Text("huggingface_token") is { } token ? new HubOptions { Token = token } : null;
        if (hub is not null) draft.Change(plan => plan with { Model = plan.Model with { Hub = hub } });
        if ((values.Text(Repository) ?? Default(values)) is not { } repository)
        {
            foreach (var idle in s_ofUploads.Select(values.Find).OfType<OptionValue>().Where(idle => !idle.Option.IsDefault(idle.Value)))
                values.Notes.Add($"{idle.Origin}: {idle.Option.Name} is not looked at: {Repository} is not given, so nothing is uploaded.");
            return;
        }

        draft.Builder.WithHubUpload(repository, options => options with
        {
            Type = Enum.Parse<HubRepositoryType>(values.Text("huggingface_repo_type")!, ignoreCase: true),
            Folder = values.Text("huggingface_path_in_repo"),
            Visibility = values.Text("huggingface_repo_visibility") == "public" ? HubVisibility.Public : HubVisibility.Private,
            States = values.Flag("save_state_to_huggingface"), InBackground = values.Flag("async_upload"),
            OnlyAtEnd = values.Flag("push_to_hub"), Hub = hub,
        });
    }

    /// <summary>As in diffusers and ppdiffusers, what is pushed without a name has that of the output folder.</summary>
    /// <param name="folder">The output folder.</param>
    /// <param name="origin">Where the option comes from, for the note.</param>
    /// <param name="notes">Told of it.</param>
    public static string NameOf(string folder, string origin, ICollection<string> notes)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        notes.Add($"{origin}: push_to_hub uploads to the repository \"{name}\" of whoever the token belongs to: {Repository} "
            + "(hub_model_id) is not given.");
        return name;
    }

    private static string? Default(OptionValues values) => values.Find("push_to_hub") is { Value: true } push
        ? NameOf(values.Text("output_dir") ?? ".", push.Origin, values.Notes) : null;

    private static void Write(RunWriter writer)
    {
        var uploads = writer.Plan.Observers.OfType<HubUpload>().ToList();
        foreach (var further in uploads.Skip(1)) writer.Refuse("TrainingPlan.Observers", further);
        if (uploads.FirstOrDefault()?.Options is not { } options) return;
        writer.Write(Repository, options.Repository);
        writer.Write("push_to_hub", options.OnlyAtEnd);
        writer.Write("huggingface_repo_type", options.Type.ToString().ToLowerInvariant());
        writer.Write("huggingface_path_in_repo", options.Folder);
        if (options.Visibility == HubVisibility.Public) writer.Write("huggingface_repo_visibility", "public");
        writer.Write("save_state_to_huggingface", options.States);
        writer.Write("async_upload", options.InBackground);
    }
}
