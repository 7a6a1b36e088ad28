namespace StableTune.Formats;

/// <summary>
/// Checks the finished value: no container holds itself, and none is nested too deep, so that whoever walks through it comes to an end.
/// Containers can be filled after they were put into others, so this cannot be seen while the pickle is read.
/// </summary>
internal static class PickleNesting
{
    public static void Check(PickleValue root, PickleSource source)
    {
        var path = new Stack<(PickleValue Value, IEnumerator<PickleValue> Children)>();
        Enter(path, root);
        while (path.TryPeek(out var top))
        {
            if (!top.Children.MoveNext())
            {
                path.Pop();
                top.Value.Depth = -top.Value.Depth;
                if (path.TryPeek(out var parent)) Deepen(parent.Value, top.Value, source);
                continue;
            }

            var child = top.Children.Current;
            if (Children(child) is null) continue;
            if (child.Depth < 0) throw source.Fault($"a {child.TypeName} in the pickle holds itself.", TorchFaults.Convert);
            if (child.Depth > 0) Deepen(top.Value, child, source);
            else if (path.Count == PickleMachine.MaximumNesting) throw TooDeep(source);
            else Enter(path, child);
        }
    }

    private static void Deepen(PickleValue parent, PickleValue child, PickleSource source)
    {
        parent.Depth = Math.Min(parent.Depth, -child.Depth - 1);
        if (parent.Depth < -PickleMachine.MaximumNesting) throw TooDeep(source);
    }

    private static InvalidFileException TooDeep(PickleSource source) =>
        source.Fault($"the pickle is nested more than {PickleMachine.MaximumNesting} deep.", TorchFaults.Convert);

    /// <summary>While its children are walked a container's depth is negative: minus the deepest so far.</summary>
    private static void Enter(Stack<(PickleValue, IEnumerator<PickleValue>)> path, PickleValue value)
    {
        if (Children(value) is not { } children) return;
        value.Depth = -1;
        path.Push((value, children.GetEnumerator()));
    }

    private static IEnumerable<PickleValue>? Children(PickleValue value) => value switch
    {
        PickleSequence { Count: > 0 } sequence => sequence,
        PickleDictionary { Count: > 0 } dictionary => dictionary.SelectMany(entry => new[] { entry.Key, entry.Value }),
        PickleRecord record => record.State is null ? [record.Arguments] : [record.Arguments, record.State],
        _ => null,
    };
}
