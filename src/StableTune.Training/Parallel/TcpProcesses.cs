using StableTune.Training;

namespace StableTune;

/// <summary>
/// Processes that find each other by the address of the first, as those that <c>torchrun</c> starts, and exchange numbers over TCP, each
/// with its neighbours in a ring. For CPUs and for GPUs of several machines without a faster way. Who can reach the port can join: meant
/// for networks that are trusted.
/// </summary>
public sealed record TcpProcesses : ProcessOptions
{
    /// <summary>The port that torchrun takes when none is named.</summary>
    internal const int UsualPort = 29500;

    internal const int LargestPort = 65535;

    /// <summary>The machine of the first process: a name or an address. Default this machine.</summary>
    public string Address { get; init; } = "127.0.0.1";

    /// <summary>The port on which the first process listens. Default 29500.</summary>
    public int Port { get; init; } = UsualPort;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (string.IsNullOrWhiteSpace(Address)) yield return Problem(Address, "the first process must be found", "give its machine's name");
        if (Port is < 1 or > LargestPort) yield return Problem(Port, $"ports are 1 to {LargestPort}", $"{UsualPort} is customary");
    }

    /// <inheritdoc/>
    public override IProcessGroup Open(TimeSpan timeout) => new TcpGroup(this, timeout);
}
