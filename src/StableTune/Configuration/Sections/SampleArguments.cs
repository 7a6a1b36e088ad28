namespace StableTune.Configuration;

/// <summary>Pictures that are drawn during training.</summary>
internal static class SampleArguments
{
    public static OptionSection Section { get; } = new("Samples",
    [
        new("sample_every_n_steps", OptionKind.Integer, "Draw after every so many steps"),
        new("sample_every_n_epochs", OptionKind.Integer, "Draw at the end of every so many epochs; wins over steps"),
        new("sample_at_first", OptionKind.Flag, "Draw before the first step too"),
        new("sample_prompts", OptionKind.Text, "A file of prompts: .txt, .toml or .json"),
        new("sample_sampler", OptionKind.Text, "The sampler of prompts that name none") { Default = "ddim" },
        new("num_images", OptionKind.Integer, "Pictures of each prompt (sd-trainer)"),
        new("image_logs", OptionKind.Text, "The folder of the pictures (sd-trainer); sample in output_dir when not given"),
    ], Assemble)
    {
        Write = writer =>
        {
            if (writer.Plan.Samples is not null) writer.Refuse("TrainingPlan.Samples", "prompts");
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        var (steps, epochs) = (Positive(values, "sample_every_n_steps"), Positive(values, "sample_every_n_epochs"));
        var first = values.Flag("sample_at_first");
        if (steps is not null && epochs is not null)
        {
            values.Notes.Add($"{values.Find("sample_every_n_steps")!.Origin}: sample_every_n_steps is {steps}: it is not looked at, "
                + $"because sample_every_n_epochs is {epochs}.");
            steps = null;
        }

        var (file, name) = (values.Text("sample_prompts"), values.Text("sample_sampler")!);
        var images = values.Get<int>("num_images") ?? 1;
        if (file is null)
        {
            foreach (var option in Section.Rows.Select(row => values.Find(row.Name)).OfType<OptionValue>()
                .Where(given => !given.Option.IsDefault(given.Value)))
                values.Notes.Add($"{option.Origin}: {option.Option.Name} is not looked at: sample_prompts is not given, so nothing is "
                    + "drawn.");
            return;
        }

        var sampler = values.Try("sample_sampler", "choose another", () => draft.Catalogs.Samplers.Create(name));
        var read = values.Try("sample_prompts", "correct the file", () => SamplePromptFile.Read(file, draft.Catalogs.Samplers));
        if (sampler is null || read is null) return;
        values.Notes.AddRange(read.Notes);
        if (steps is null && epochs is null && !first)
        {
            values.Notes.Add("sample_prompts is given without sample_every_n_steps or sample_every_n_epochs, so nothing is drawn.");
            return;
        }

        draft.Builder.WithSamples(new SampleOptions
        {
            Folder = values.Text("image_logs") ?? Path.Combine(values.Text("output_dir") ?? "", "sample"),
            Name = values.Text("output_name"), Before = first, After = false, EveryNSteps = steps, EveryNEpochs = epochs,
            Prompts = [.. read.Prompts.Select((prompt, i) => prompt with
            {
                Sampler = prompt.Sampler ?? sampler, ImageCount = images, Seed = read.Seeded[i] ? prompt.Seed : draft.Builder.Plan.Seed + i,
            })],
        });
    }

    /// <summary>How often; 0 and less turn it off, which is told.</summary>
    private static int? Positive(OptionValues values, string name)
    {
        if (values.Find(name) is not { } given) return null;
        if ((int)given.Value > 0) return (int)given.Value;
        values.Notes.Add($"{given.Origin}: {name} is {RunOption.Shown(given.Value)}: it is turned off. Leave it out, or give 1 or more.");
        return null;
    }
}
