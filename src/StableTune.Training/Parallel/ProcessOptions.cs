using System.Globalization;
using StableTune.Training;

namespace StableTune;

/// <summary>How several processes find each other and exchange numbers. A new way is a record derived from this one, and an
/// <see cref="IProcessGroup"/>.</summary>
public abstract record ProcessOptions : OptionsBase
{
    /// <summary>The number of this process, from 0. The first saves and logs.</summary>
    public required int Rank { get; init; }

    /// <summary>How many processes there are.</summary>
    public required int Count { get; init; }

    /// <summary>The number of this process among those of its machine: that of its GPU where no device is named. Null where it is not
    /// known.</summary>
    public int? LocalRank { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Count < 1) yield return Problem(Count, "there is at least one process", "leave the processes unset to train in one");
        if (Rank < 0 || Rank >= Count) yield return Problem(Rank, $"with {Count} processes it is 0 to {Count - 1}", "number them from 0");
        if (LocalRank < 0) yield return Problem(LocalRank, "it must not be negative", "leave it unset");
    }

    /// <summary>Joins the group. Returns when all processes have.</summary>
    /// <param name="timeout">How long to wait for the others, now and in each exchange.</param>
    /// <exception cref="ProcessGroupException">The others cannot be reached, or do not come.</exception>
    public abstract IProcessGroup Open(TimeSpan timeout);

    /// <summary>
    /// What the program that started this process says in its environment: <c>mpirun</c> of Open MPI (<c>OMPI_COMM_WORLD_RANK</c> ...), or
    /// the variables of <c>torchrun</c> and <c>accelerate</c> (<c>RANK</c>, <c>WORLD_SIZE</c>, <c>MASTER_ADDR</c>, <c>MASTER_PORT</c>;
    /// the port after it where torchrun's agent listens on that one, <c>TORCHELASTIC_USE_AGENT_STORE</c>).
    /// </summary>
    /// <returns>The processes; null where this one is alone.</returns>
    /// <exception cref="InvalidOptionsException">A variable is no number, or one is missing.</exception>
    public static ProcessOptions? FromEnvironment() => FromVariables(Environment.GetEnvironmentVariable);

    /// <summary>As <see cref="FromEnvironment"/>, of any variables.</summary>
    internal static ProcessOptions? FromVariables(Func<string, string?> variables)
    {
        if (Number(variables, "OMPI_COMM_WORLD_SIZE") is > 1 and var mpi)
            return new MpiProcesses
            {
                Rank = Required(variables, "OMPI_COMM_WORLD_RANK"), Count = mpi,
                LocalRank = Number(variables, "OMPI_COMM_WORLD_LOCAL_RANK"),
            };
        if (Number(variables, "WORLD_SIZE") is not (> 1 and var count)) return null;
        return new TcpProcesses
        {
            Rank = Required(variables, "RANK"), Count = count, LocalRank = Number(variables, "LOCAL_RANK"),
            Address = variables("MASTER_ADDR") is { Length: > 0 } address ? address : "127.0.0.1",
            Port = PortOf(variables),
        };
    }

    /// <summary>torchrun itself may listen on the port that it names, and says so: then the one beside it is free for the
    /// processes.</summary>
    private static int PortOf(Func<string, string?> variables)
    {
        var port = Number(variables, "MASTER_PORT") ?? TcpProcesses.UsualPort;
        var isTaken = string.Equals(variables("TORCHELASTIC_USE_AGENT_STORE"), "true", StringComparison.OrdinalIgnoreCase);
        return !isTaken ? port : port < TcpProcesses.LargestPort ? port + 1 : port - 1;
    }

    private static int Required(Func<string, string?> variables, string name) => Number(variables, name)
        ?? throw new InvalidOptionsException([new(name, null, "the number of processes is set, and that of this one is not",
            "start the processes with mpirun or torchrun, or set it to 0, 1, ...")]);

    private static int? Number(Func<string, string?> variables, string name) => variables(name) switch
    {
        null or "" => null,
        var text when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) => number,
        var text => throw new InvalidOptionsException([new(name, text, "it is no number", "unset it, or start the processes with mpirun "
            + "or torchrun")]),
    };
}
