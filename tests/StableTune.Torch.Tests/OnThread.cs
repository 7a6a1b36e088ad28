using System.Runtime.ExceptionServices;

namespace StableTune.Torch.Tests;

/// <summary>Runs something on a thread of its own, which ends then.</summary>
internal static class OnThread
{
    internal static void Run(Action action) => Run(1, _ => action());

    /// <summary>Runs something on several threads at once, each with a number and a dispose scope; throws the first exception.</summary>
    internal static void Run(int count, Action<int> action)
    {
        var errors = new Exception?[count];
        var threads = Enumerable.Range(0, count).Select(k => new Thread(() =>
        {
            using var scope = NewDisposeScope();
            try
            {
                action(k);
            }
            catch (Exception e)
            {
                errors[k] = e;
            }
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        if (errors.OfType<Exception>().FirstOrDefault() is { } error) ExceptionDispatchInfo.Throw(error);
    }
}
