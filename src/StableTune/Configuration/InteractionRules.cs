namespace StableTune.Configuration;

/// <summary>
/// What options forbid each other, as far as only the options tell: what a plan holds is checked by the plan. Rules that concern one
/// section alone stand there.
/// </summary>
internal static class InteractionRules
{
    /// <summary>Notes what does not go together.</summary>
    public static void Check(RunDraft draft)
    {
        var values = draft.Values;
        Noise(values);
        Velocity(values);
        Buckets(values);
        Caches(values);
        Steps(draft);
        Fused(values);
        Cards(values);
    }

    private static void Fused(OptionValues values)
    {
        foreach (var name in new[] { "fused_backward_pass", "fused_optimizer_groups" })
        {
            if (values.Find(name) is not { Value: not false } fused) continue;
            if (values.Get<double>("max_grad_norm") is not 0)
                values.Problems.Add(fused.Problem("the norm of all gradients, by which max_grad_norm clips them, is known only when all "
                    + "are there", "set max_grad_norm to 0"));
            if (values.Get<int>("gradient_accumulation_steps") > 1)
                values.Problems.Add(fused.Problem("gradient_accumulation_steps keeps gradients until all batches are done",
                    "leave one of them out"));
            if (values.Text("mixed_precision") == "fp16")
                values.Problems.Add(fused.Problem("with mixed_precision fp16 a step is taken only when no gradient overflows, which is "
                    + "known only when all are there", "use bf16, or leave it out"));
        }
    }

    private static void Noise(OptionValues values)
    {
        if (values.Find("adaptive_noise_scale") is { } scale && !values.Has("noise_offset"))
            values.Problems.Add(scale.Problem("it changes noise_offset, which is not given", "give noise_offset, 0.1 for instance"));
        if (values.Find("zero_terminal_snr") is { Value: true } zero && !values.Flag("v_parameterization"))
            values.Notes.Add($"{zero.Origin}: zero_terminal_snr suits models that predict velocity, and v_parameterization is not set.");
    }

    private static void Velocity(OptionValues values)
    {
        if (values.Find("v_pred_like_loss") is { } like && values.Flag("v_parameterization"))
            values.Problems.Add(like.Problem("the model predicts velocity already", "leave v_pred_like_loss or v_parameterization out"));
        if (values.Find("scale_v_pred_loss_like_noise_pred") is { Value: true } scaled && values.Said("v_parameterization") == false)
            values.Problems.Add(scaled.Problem("it is for models that predict velocity, and v_parameterization is false",
                "leave one of them out"));
    }

    private static void Buckets(OptionValues values)
    {
        if (!values.Flag("enable_bucket"))
        {
            foreach (var name in new[] { "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale", "max_ratio" })
                if (values.Find(name) is { } idle && !idle.Option.IsDefault(idle.Value) && !values.Has("dataset_config"))
                    values.Notes.Add($"{idle.Origin}: {name} is not looked at without enable_bucket.");
        }
        else if (values.Flag("bucket_no_upscale"))
        {
            foreach (var name in new[] { "min_bucket_reso", "max_bucket_reso" })
                if (values.Find(name) is { } ignored && !ignored.Option.IsDefault(ignored.Value))
                    values.Notes.Add($"{ignored.Origin}: {name} is not looked at with bucket_no_upscale.");
        }
    }

    private static void Caches(OptionValues values)
    {
        if (values.Find("cache_latents") is { Value: true } cached)
            foreach (var name in new[] { "color_aug", "random_crop" })
                if (values.Flag(name))
                    values.Problems.Add(cached.Problem($"{name} changes images in every step, so they cannot be encoded once",
                        $"leave {name} out, or cache_latents"));
        if (values.Find("cache_text_encoder_outputs") is { Value: true } texts)
            foreach (var name in new[] { "shuffle_caption", "enable_wildcard", "caption_dropout_rate", "caption_tag_dropout_rate",
                "token_warmup_step" })
                if (values.Find(name) is { } changing && !changing.Option.IsDefault(changing.Value))
                    values.Problems.Add(texts.Problem($"{name} changes captions in every step, so they cannot be encoded once",
                        $"leave {name} out, or cache_text_encoder_outputs"));
    }

    private static void Steps(RunDraft draft)
    {
        var values = draft.Values;
        if (values.Find("initial_step") is { } first && values.Get<int>("max_train_steps") is { } most && (int)first.Value > most)
            values.Problems.Add(first.Problem($"max_train_steps is {most}", "begin earlier, or train longer"));
        if (values.Find("stop_text_encoder_training") is { } stop && values.Get<int>("max_train_steps") is { } all
            && !values.Has("max_train_epochs") && (int)stop.Value > all)
            values.Notes.Add($"{stop.Origin}: stop_text_encoder_training is {stop.Value}: max_train_steps is {all}, so it never stops.");
        if (values.Flag("no_token_padding") && values.Find("max_token_length") is { Value: > 75 } length)
            values.Problems.Add(length.Problem("no_token_padding goes with 75 tokens", "leave one of them out"));
        if (values.Find("min_snr_gamma") is { } snr && values.Flag("debiased_estimation_loss"))
            values.Notes.Add($"{snr.Origin}: min_snr_gamma and debiased_estimation_loss weigh the same twice.");
    }

    private static void Cards(OptionValues values)
    {
        if (values.Find("save_state_to_huggingface") is { Value: true } upload
            && !(values.Flag("save_state") && values.Has("huggingface_repo_id")))
            values.Problems.Add(upload.Problem("it needs save_state and huggingface_repo_id", "set both, or leave it out"));
    }
}
