using System.Runtime.CompilerServices;

namespace StableTune.LibTorch.Tests;

[Collection(CountingTensors.Name)]
public sealed class DisposeScopeTests
{
    [Fact]
    public void Scope_DisposesWhatWasMadeInside()
    {
        var before = engine.live_tensors;
        Tensor inner;
        using (var scope = NewDisposeScope())
        {
            inner = ones(2) + 1;
            Assert.Equal(2, scope.DisposablesCount);
            Assert.Same(scope, CurrentDisposeScope);
        }
        Assert.True(inner.IsInvalid);
        Assert.Equal(before, engine.live_tensors);
        Assert.Null(CurrentDisposeScope);
    }

    [Fact]
    public void MovedOut_TensorsClimbScopeByScope()
    {
        using var outer = NewDisposeScope();
        Tensor Climb()
        {
            using var middle = NewDisposeScope();
            Tensor Make()
            {
                using var inner = NewDisposeScope();
                return (ones(2) * 3).MoveToOuterDisposeScope();
            }
            return (Make() + 1).MoveToOuterDisposeScope();
        }
        var result = Climb();
        Close.To(result, [4, 4]);
        Assert.Equal(1, outer.DisposablesCount);
    }

    [Fact]
    public void MovedOutOfTheLastScope_BelongsToTheCaller()
    {
        Tensor kept;
        using (NewDisposeScope()) kept = ones(1).MoveToOuterDisposeScope();
        Assert.False(kept.IsInvalid);
        kept.Dispose();
    }

    [Fact]
    public void Detached_TensorsOutliveAllScopes()
    {
        Tensor kept;
        using (NewDisposeScope())
        using (var inner = NewDisposeScope())
        {
            kept = inner.Detach(ones(1));
            Assert.Same(kept, kept.DetachFromDisposeScope());
        }
        Assert.False(kept.IsInvalid);
        kept.Dispose();
    }

    [Fact]
    public void Include_TakesTensorsFromAnywhere()
    {
        var free = ones(1);
        using (var outer = NewDisposeScope())
        {
            using (var inner = NewDisposeScope())
            {
                outer.Include(free);
                outer.Include(inner.Include(ones(1)));
                Assert.Equal((2, 0), (outer.DisposablesCount, inner.DisposablesCount));
            }
            Assert.False(free.IsInvalid);
        }
        Assert.True(free.IsInvalid);
    }

    [Fact]
    public void MoveToOuter_OfSeveral_AndOfForeignTensors()
    {
        using var outer = NewDisposeScope();
        var mine = ones(1);
        using (var inner = NewDisposeScope())
        {
            var (a, b) = (ones(1), ones(1));
            inner.MoveToOuter(a, b);
            inner.MoveToOuter(mine);   // not of that scope: stays where it is
        }
        Assert.Equal(3, outer.DisposablesCount);
        outer.DisposeEverything();
        Assert.True(mine.IsInvalid);
        Assert.Equal(0, outer.DisposablesCount);
    }

    [Fact]
    public void DisposedEarly_TensorsLeaveTheScope()
    {
        using var scope = NewDisposeScope();
        Tensor a = ones(1), b = ones(1), c = ones(1);
        b.Dispose();
        b.Dispose();
        Assert.Equal(2, scope.DisposablesCount);
        a.Dispose();
        c.Dispose();
        Assert.Equal(0, scope.DisposablesCount);
    }

    [Fact]
    public void Disposed_TensorsSayWhatToDo()
    {
        var x = ones(1);
        x.Dispose();
        var error = Assert.Throws<ObjectDisposedException>(() => x + 1);
        Assert.Contains("MoveToOuterDisposeScope", error.Message);
        Assert.Equal("disposed tensor", x.ToString());
    }

    [Fact]
    public void Scopes_BelongToTheirThread()
    {
        using var scope = NewDisposeScope();
        var mine = ones(1);
        DisposeScope? seen = scope;
        Tensor? other = null;
        var thread = new Thread(() =>
        {
            seen = CurrentDisposeScope;
            other = ones(1);
            mine.Dispose();   // of a scope of another thread: the tensor goes, the list stays in order
        });
        thread.Start();
        thread.Join();
        Assert.Null(seen);
        Assert.False(other!.IsInvalid);
        Assert.True(mine.IsInvalid);
        other.Dispose();
    }

    private static Exception? OnAnotherThread(Action body)
    {
        Exception? thrown = null;
        var thread = new Thread(() => thrown = Record.Exception(body)) { IsBackground = true };
        thread.Start();
        Assert.True(thread.Join(TimeSpan.FromSeconds(20)), "the other thread does not come back");
        return thrown;
    }

    [Fact]
    public void Scope_ClosedByAnotherThread_DisposesItsTensors()
    {
        var before = engine.live_tensors;
        using var outer = NewDisposeScope();
        var inner = NewDisposeScope();
        var tensors = new[] { ones(1), ones(2), ones(3) };
        Assert.Null(OnAnotherThread(inner.Dispose));
        Assert.All(tensors, tensor => Assert.True(tensor.IsInvalid));
        Assert.Equal(before, engine.live_tensors);
        Assert.Equal(0, inner.DisposablesCount);
        Assert.Same(outer, CurrentDisposeScope);
    }

    [Fact]
    public void Tensors_OfAScopeOfAnotherThread_CannotChangeScopesThere()
    {
        using var outer = NewDisposeScope();
        using var scope = NewDisposeScope();
        var (first, second) = (ones(1), ones(2));
        var thrown = new List<Exception?>();
        Assert.Null(OnAnotherThread(() =>
        {
            using var foreign = NewDisposeScope();
            var theirs = ones(3);
            thrown.Add(Record.Exception(() => foreign.Include(first)));
            thrown.Add(Record.Exception(() => first.MoveToOuterDisposeScope()));
            thrown.Add(Record.Exception(() => first.DetachFromDisposeScope()));
            thrown.Add(Record.Exception(() => scope.Include(theirs)));
            Assert.Equal(1, foreign.DisposablesCount);
        }));
        Assert.All(thrown, e => Assert.Contains("another thread", Assert.IsType<InvalidOperationException>(e).Message));
        Assert.Equal((0, 2), (outer.DisposablesCount, scope.DisposablesCount));
        scope.Dispose();
        Assert.True(first.IsInvalid && second.IsInvalid);
    }

    [Fact]
    public void ToArray_OfAViewOutsideEveryScope_LeavesNothingBehind()
    {
        using var x = arange(6);
        using var grid = x.view(2, 3);
        using var turned = grid.t();
        var before = engine.live_tensors;
        Assert.Equal([0L, 3, 1, 4, 2, 5], turned.data<long>().ToArray());
        Assert.Equal(before, engine.live_tensors);
    }

    [Fact]
    public void ThousandSteps_LeaveTheCountWhereItWas()
    {
        using var scope = NewDisposeScope();
        var weight = randn([4, 4], requires_grad: true);
        var before = engine.live_tensors;
        for (var step = 0; step < 1000; step++)
        {
            using var inner = NewDisposeScope();
            var loss = randn(2, 4).matmul(weight).softmax(1).log().mean();
            loss.backward();
            using (no_grad()) weight.sub_(weight.grad! * 0.1);
            weight.grad = null;
        }
        Assert.Equal(before, engine.live_tensors);
    }

    [Fact]
    public void Threads_ManyAtOnce_DoNotDisturbEachOther()
    {
        var before = engine.live_tensors;
        var sums = new double[8];
        Parallel.For(0, sums.Length, k =>
        {
            for (var step = 0; step < 200; step++)
            {
                using var scope = NewDisposeScope();
                sums[k] = (full([4], (double)k) * 2 + 1).sum().ToDouble();
            }
        });
        Assert.Equal(Enumerable.Range(0, sums.Length).Select(k => 4.0 * (2 * k + 1)), sums);
        Assert.Equal(before, engine.live_tensors);
    }

    [Fact]
    public void Forgotten_TensorsAreFreedAndCounted()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var (live, forgotten) = (engine.live_tensors, engine.forgotten_tensors);
        Forget();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(live, engine.live_tensors);
        Assert.Equal(forgotten + 3, engine.forgotten_tensors);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget()
    {
        for (var k = 0; k < 3; k++) _ = ones(1);
    }
}
