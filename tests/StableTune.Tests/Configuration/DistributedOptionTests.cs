namespace StableTune.Tests.Configuration;

/// <summary>Several devices and processes by the references' names.</summary>
public sealed class DistributedOptionTests
{
    private static RunConfiguration Parse(params string[] words) =>
        RunConfiguration.Parse(["--pretrained_model_name_or_path", "model", "--train_data_dir", "images", "--seed", "1",
            "--network_module", "networks.lora", "--output_dir", "out", .. words]);

    private static string[] Devices(RunConfiguration configuration) =>
        [.. configuration.Builder.Plan.Distributed.Devices.Select(device => device.ToString())];

    [Theory]
    [InlineData("--gpu_ids", "0,2", "cuda:0 cuda:2")]
    [InlineData("--num_processes", "3", "cuda:0 cuda:1 cuda:2")]
    [InlineData("--device", "cpu,cpu", "cpu cpu")]
    [InlineData("--gpu_ids", "1", "")]
    public void Options_NameDevices(string option, string value, string devices) =>
        Assert.Equal(devices, string.Join(' ', Devices(Parse(option, value))));

    /// <summary>The program that reads the options may be a host of its own, which knows nothing of processes.</summary>
    [Fact]
    public void ProcessesThatWereStarted_AreThoseOfTheRun()
    {
        string[] names = ["WORLD_SIZE", "RANK", "MASTER_PORT"];
        try
        {
            foreach (var (name, value) in names.Zip(["2", "1", "12345"])) Environment.SetEnvironmentVariable(name, value);
            Assert.Equal(new TcpProcesses { Rank = 1, Count = 2, Port = 12345 },
                Parse("--num_processes", "2").Builder.Plan.Distributed.Processes);
            Assert.Contains("each would take all of these", Assert.Throws<InvalidOptionsException>(() =>
                Parse("--num_processes", "2", "--gpu_ids", "0,1")).Message, StringComparison.Ordinal);
        }
        finally
        {
            foreach (var name in names) Environment.SetEnvironmentVariable(name, null);
        }
    }

    [Fact]
    public void PpDiffusers_Gpus_NamesDevices()
    {
        var configuration = RunConfiguration.Parse(["--pretrained_model_name_or_path", "model", "--instance_data_dir", "images",
            "--instance_prompt", "a frog", "--gpus", "0,1,2,3"], RunScript.Network, ReferenceStyle.PpDiffusers);
        Assert.Equal(["cuda:0", "cuda:1", "cuda:2", "cuda:3"], Devices(configuration));
    }

    [Fact]
    public void Timeout_IsInMinutes_AndIsWrittenBack()
    {
        var configuration = Parse("--ddp_timeout", "7", "--device", "cpu,cpu");
        Assert.Equal(TimeSpan.FromMinutes(7), configuration.Builder.Plan.Distributed.Timeout);
        var text = configuration.ToToml();
        Assert.Contains("ddp_timeout = 7", text, StringComparison.Ordinal);
        Assert.Contains("device = \"cpu,cpu\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Tuning_IsAccepted_AndSaysThatItHasNoEffect() =>
        Assert.Equal(2, Parse("--ddp_static_graph", "--ddp_gradient_as_bucket_view").Notes.Count(note =>
            note.Contains("ddp_", StringComparison.Ordinal)));

    [Theory]
    [InlineData("not cut into shards", "--deepspeed")]
    [InlineData("not cut into shards", "--use_fsdp")]
    [InlineData("not cut into shards", "--zero_stage", "2")]
    [InlineData("give numbers with commas", "--gpu_ids", "0;1")]
    [InlineData("device says where the run takes place too", "--gpu_ids", "0,1", "--device", "cpu")]
    [InlineData("gpu_ids names 2 devices", "--gpu_ids", "0,1", "--num_processes", "3")]
    [InlineData("name as many devices, with commas", "--device", "cpu", "--num_processes", "2")]
    [InlineData("there is at least one", "--num_processes", "0")]
    public void WhatCannotBe_IsRefused(string message, params string[] words) =>
        Assert.Contains(message, Assert.Throws<InvalidOptionsException>(() => Parse(words)).Message,
            StringComparison.OrdinalIgnoreCase);
}
