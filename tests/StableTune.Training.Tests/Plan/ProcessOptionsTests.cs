namespace StableTune.Training.Tests;

/// <summary>Processes as the program that started them says.</summary>
public sealed class ProcessOptionsTests
{
    [Fact]
    public void Environment_OfMpirunAndTorchrun_IsUnderstood()
    {
        static ProcessOptions? Of(params (string Name, string Value)[] variables) =>
            ProcessOptions.FromVariables(name => variables.FirstOrDefault(variable => variable.Name == name).Value);
        Assert.Null(Of());
        Assert.Null(Of(("WORLD_SIZE", "1"), ("RANK", "0")));
        Assert.Equal(new MpiProcesses { Rank = 1, Count = 4, LocalRank = 1 }, Of(("OMPI_COMM_WORLD_SIZE", "4"),
            ("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_LOCAL_RANK", "1"), ("WORLD_SIZE", "8")));
        Assert.Equal(new TcpProcesses { Rank = 3, Count = 4, LocalRank = 1, Address = "node0", Port = 1234 }, Of(("WORLD_SIZE", "4"),
            ("RANK", "3"), ("LOCAL_RANK", "1"), ("MASTER_ADDR", "node0"), ("MASTER_PORT", "1234")));
        // The agent of torchrun listens on its port itself.
        Assert.Equal(1235, Assert.IsType<TcpProcesses>(Of(("WORLD_SIZE", "4"), ("RANK", "3"), ("MASTER_PORT", "1234"),
            ("TORCHELASTIC_USE_AGENT_STORE", "True"))).Port);
        Assert.Contains("RANK is not set", Assert.Throws<InvalidOptionsException>(() => Of(("WORLD_SIZE", "2"))).Message,
            StringComparison.Ordinal);
        Assert.Contains("RANK is \"one\"", Assert.Throws<InvalidOptionsException>(() => Of(("WORLD_SIZE", "2"), ("RANK", "one"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Nccl_MeetsAsOthersDo_AndSaysWhatIsMissing()
    {
        var processes = NcclProcesses.By(new TcpProcesses { Rank = 1, Count = 2, LocalRank = 1 });
        Assert.Empty(processes.Validate());
        Assert.Equal((1, 2, 1), (processes.Rank, processes.Count, processes.LocalRank!.Value));
        Assert.Equal(["NcclProcesses.Meeting", "NcclProcesses.Library"],
            (processes with { Rank = 0, Library = "no such file" }).Validate().Select(problem => problem.Option));
        if (cuda.is_available()) return;
        var fault = Assert.Throws<ProcessGroupException>(() => processes.Open(TimeSpan.FromSeconds(1)));
        Assert.Contains("NCCL", fault.Message, StringComparison.Ordinal);
        Assert.Contains("TcpProcesses needs none", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Processes_WithNumbersThatCannotBe_AreRefused()
    {
        string[] Options(TcpProcesses processes) => [.. processes.Validate().Select(problem => problem.Option)];
        Assert.Equal(["TcpProcesses.Rank"], Options(new TcpProcesses { Rank = 2, Count = 2 }));
        Assert.Equal(["TcpProcesses.Count", "TcpProcesses.Rank"], Options(new TcpProcesses { Rank = 0, Count = 0 }));
        Assert.Equal(["TcpProcesses.Address", "TcpProcesses.Port"],
            Options(new TcpProcesses { Rank = 0, Count = 2, Address = " ", Port = 0 }));
    }
}
