namespace StableTune.Training;

/// <summary>
/// Several processes that train together. All of them call the same methods in the same order, on one thread at a time.
/// </summary>
public interface IProcessGroup : IDisposable
{
    /// <summary>The number of this process, from 0.</summary>
    int Rank { get; }

    /// <summary>How many processes there are.</summary>
    int Count { get; }

    /// <summary>What this process has sent since it joined, in bytes.</summary>
    long BytesSent { get; }

    /// <summary>Cancelled when another process has ended, where that is noticed; the exchanges then say which and why.</summary>
    CancellationToken Ended => CancellationToken.None;

    /// <summary>A process by number, machine and process id, as messages name it.</summary>
    /// <param name="rank">Its number.</param>
    string NameOf(int rank);

    /// <summary>Adds the numbers of all processes, place by place, and gives every process the same bits.</summary>
    /// <param name="values">[n], float32 or float64, contiguous, on any device; changed in place.</param>
    /// <exception cref="ProcessGroupException">A process has ended, or does not answer.</exception>
    void Sum(Tensor values);

    /// <summary>Gives every process what each of them has; waits for all.</summary>
    /// <param name="mine">What this process has.</param>
    /// <returns>One for each process, in their order.</returns>
    /// <exception cref="ProcessGroupException">A process has ended, or does not answer.</exception>
    IReadOnlyList<byte[]> Gather(byte[] mine);

    /// <summary>Tells the others that this process ends because something failed: what they wait for will not come.</summary>
    /// <param name="reason">What failed, in a sentence.</param>
    void Fail(string reason);
}

/// <summary>Processes that train together cannot go on: one of them has ended, does not answer, or was started otherwise.</summary>
/// <param name="message">What happened, and what to do.</param>
/// <param name="rank">The number of the process that it is about; null where that is not known.</param>
/// <param name="inner">The cause; null for none.</param>
public sealed class ProcessGroupException(string message, int? rank = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The number of the process that it is about; null where that is not known.</summary>
    public int? Rank { get; } = rank;

    internal static ProcessGroupException Ended(string name, int rank, string reason, Exception? inner = null) => new(
        $"{name} has ended: {reason.TrimEnd('.')}. The run cannot go on without it. Mend the cause, then start all processes again; with "
            + "saved states they can resume from the last one.", rank, inner);
}
