namespace StableTune.Configuration;

/// <summary>Several devices and processes, as accelerate, sd-scripts and ppdiffusers name them.</summary>
internal static class DistributedArguments
{
    private const string Sharded = "weights and optimizer states are not cut into shards over devices (DeepSpeed, FSDP): each device holds "
        + "the whole model. Train an adapter, use 8-bit optimizers, or keep weights in host memory";

    public static OptionSection Section { get; } = new("Several devices",
    [
        new("num_processes", OptionKind.Integer, "Devices that share each step's batch; with mpirun or torchrun the processes they started")
        {
            Default = 1,
        },
        new("gpu_ids", OptionKind.Text, "The GPUs that share each step's batch: 0,1") { Aliases = ["gpus"] },
        new("ddp_timeout", OptionKind.Integer, "Minutes until processes give each other up")
        {
            Default = 30,
            Apply = (builder, value) => builder.WithDistributed(distributed =>
                distributed with { Timeout = TimeSpan.FromMinutes((int)value) }),
            Write = plan => (int)Math.Ceiling(plan.Distributed.Timeout.TotalMinutes),
        },
        new("ddp_gradient_as_bucket_view", OptionKind.Flag, "How gradients are exchanged")
        {
            NoEffect = "gradients are exchanged as flat vectors in any case",
        },
        new("ddp_static_graph", OptionKind.Flag, "How gradients are exchanged")
        {
            NoEffect = "gradients are exchanged when all are there, whatever the graph",
        },
        .. new[] { "deepspeed", "use_deepspeed", "use_fsdp", "zero3_init_flag", "zero3_save_16bit_model",
            "fp16_master_weights_and_gradients" }.Select(name =>
            new RunOption(name, OptionKind.Flag, "Of DeepSpeed or FSDP") { Refusal = Sharded }),
        .. new[] { "zero_stage", "offload_optimizer_device", "offload_optimizer_nvme_path", "offload_param_device",
            "offload_param_nvme_path" }.Select(name => new RunOption(name, OptionKind.Text, "Of DeepSpeed") { Refusal = Sharded }),
    ], Assemble);

    private static void Assemble(RunDraft draft)
    {
        var (values, builder) = (draft.Values, draft.Builder);
        var count = values.Get<int>("num_processes")!.Value;
        if (count < 1) values.Fault("num_processes", "there is at least one", "leave it out to train on one device");
        var started = ProcessOptions.FromEnvironment();
        if (values.Text("gpu_ids") is { } ids)
        {
            // Each process has one device of its machine, as with accelerate.
            if (started is not null && ids.Contains(',', StringComparison.Ordinal))
                values.Fault("gpu_ids", $"{started.Count} processes were started, and each would take all of these", "name the GPUs of the "
                    + "processes by CUDA_VISIBLE_DEVICES, or start one process");
            else if (values.Has("device")) values.Fault("gpu_ids", "device says where the run takes place too", "give one of the two");
            else values.Try("gpu_ids", "give numbers with commas: 0,1", () => builder.On("cuda:" + ids));
            var named = builder.Plan.Distributed.Devices.Count;
            if (count > 1 && named > 1 && count != named)
                values.Fault("num_processes", $"gpu_ids names {named} devices", "leave it out, or give as many");
            return;
        }

        if (count <= 1) return;
        if (started is { } processes)
        {
            if (processes.Count != count)
                values.Fault("num_processes", $"{processes.Count} processes were started", "leave it out, or give as many");
            else builder.WithProcesses(processes);
        }
        // accelerate takes the first GPUs.
        else if (!values.Has("device")) builder.On([.. Enumerable.Range(0, count).Select(index => new Device(DeviceType.CUDA, index))]);
        else if (Math.Max(1, builder.Plan.Distributed.Devices.Count) != count)
            values.Fault("num_processes", $"device is {values.Text("device")}", "name as many devices, with commas");
    }
}
