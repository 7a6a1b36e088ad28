using System.Runtime.ExceptionServices;

namespace StableTune.Training;

/// <summary>The thread of one device: gradient mode and dispose scopes belong to a thread, so each device keeps its own for the whole
/// run.</summary>
internal sealed class ReplicaThread : IDisposable
{
    private readonly Thread _thread;
    private readonly SemaphoreSlim _given = new(0), _done = new(0);
    private readonly int _cpuThreads;
    private Action? _work;
    private Exception? _fault;
    private bool _ends;

    /// <param name="name">What debuggers call it.</param>
    /// <param name="cpuThreads">How many threads an operator on the CPU may use.</param>
    public ReplicaThread(string name, int cpuThreads)
    {
        _cpuThreads = cpuThreads;
        _thread = new Thread(Run) { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <summary>Begins work; <see cref="Wait"/> must follow.</summary>
    public void Begin(Action work)
    {
        _work = work;
        _given.Release();
    }

    /// <summary>Waits for the work, and gives back what it threw.</summary>
    public Exception? Wait()
    {
        _done.Wait();
        return Interlocked.Exchange(ref _fault, null);
    }

    public void Dispose()
    {
        _ends = true;
        _given.Release();
        _thread.Join();
        _given.Dispose();
        _done.Dispose();
    }

    /// <summary>Runs a piece of work on each thread and one on this one, and waits for all, whatever happens.</summary>
    public static void RunAll(IReadOnlyList<ReplicaThread> threads, Action here, Func<int, Action> there)
    {
        for (var i = 0; i < threads.Count; i++) threads[i].Begin(there(i));
        Exception? first = null;
        try
        {
            here();
        }
        catch (Exception fault)                                              // the others must be waited for before anything is freed
        {
            first = fault;
        }

        foreach (var thread in threads)
        {
            var fault = thread.Wait();
            first ??= fault;
        }

        if (first is not null) ExceptionDispatchInfo.Throw(first);
    }

    private void Run()
    {
        set_num_threads(_cpuThreads);
        while (true)
        {
            _given.Wait();
            if (_ends) return;
            try
            {
                using var scope = NewDisposeScope();
                using var gradients = enable_grad();
                _work!();
            }
            catch (Exception fault)                                          // told to the thread that waits
            {
                _fault = fault;
            }

            _done.Release();
        }
    }
}
