namespace StableTune.Training;

/// <summary>What an observer, or the progress of a run, has thrown.</summary>
/// <param name="Observer">The name of its type.</param>
/// <param name="Event">The member that threw: "OnStep", "Report" ...</param>
/// <param name="Count">How often it threw an exception of this type there.</param>
/// <param name="First">The first of them.</param>
public sealed record ObserverFault(string Observer, string Event, int Count, Exception First)
{
    /// <summary>"JsonLinesLog failed 3 times in OnStep: There is no space left ...".</summary>
    public override string ToString() => $"{Observer} failed {(Count == 1 ? "once" : $"{Count} times")} in {Event}: {First.Message}";
}
